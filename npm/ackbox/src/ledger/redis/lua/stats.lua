-- Counters and depths of queues.
--
-- KEYS    {tag}:box, then {tag}:q:NAME of each queue
-- ARGV    none
-- Result  for each { fields of its hash, scheduled, leased, dead letters, oldest message that waits in the plain line }
-- Cost    O(queues)
local call, sub = redis.call, string.sub
local BOX = sub(KEYS[1], 1, -4)
local reply = {}
for at = 2, #KEYS do
  local name = sub(KEYS[at], #BOX + 3)
  local first = call('LINDEX', BOX .. 'w:' .. name, 0)
  local message = first and call('HGET', BOX .. 'm:' .. name, sub(first, 1, 16))
  reply[at - 1] = { call('HGETALL', KEYS[at]), call('ZCARD', BOX .. 'd:' .. name), call('ZCARD', BOX .. 'l:' .. name),
    call('ZCARD', BOX .. 'x:' .. name), message and string.format('%.0f', (struct.unpack('>I6', message, 7))) or '' }
end
return reply
