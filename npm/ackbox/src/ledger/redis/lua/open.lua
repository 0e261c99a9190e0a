-- Opens a box: creates it, or checks that this client knows its format. Registers the process.
--
-- KEYS    {tag}:box
-- ARGV    process; highest format the client knows; secret of the box if it is created (32 bytes); time
-- Result  { format, secret, when it was created, server time }
-- Error   ACKBOX_NEWER: the box has a format that this client does not know
-- Cost    O(1)
if redis.replicate_commands then redis.replicate_commands() end
local clock = redis.call('TIME')
local now = tonumber(ARGV[4]) or math.floor(clock[1] * 1000 + clock[2] / 1000)
if redis.call('HSETNX', KEYS[1], 'format', 1) == 1 then
  redis.call('HSET', KEYS[1], 'secret', ARGV[3], 'created', string.format('%.0f', now))
end
local box = redis.call('HMGET', KEYS[1], 'format', 'secret', 'created')
if tonumber(box[1]) > tonumber(ARGV[2]) then
  return redis.error_reply('ACKBOX_NEWER expected format ' .. ARGV[2] .. ' at most, found ' .. box[1])
end
return { box[1], box[2], box[3], string.format('%.0f', now) }
