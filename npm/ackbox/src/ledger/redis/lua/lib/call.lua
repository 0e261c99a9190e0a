-- What every transition begins with.
--
-- KEYS[1]  {tag}:box. Every other key has the same tag, so all of a call lie in one slot.
-- ARGV[1]  the process, 12 characters that no other process of the box has
-- ARGV[2]  number of the request, counted by the process; with an r behind it if it was asked before
-- ARGV[3]  the time in ms; empty: the server's. Only tests give it
--
-- A request that was made before is answered as it was then: whoever lost a reply asks again under the same
-- number. Each process has a ring of answers; asking for one that a later request has overwritten is an error.
if redis.replicate_commands then redis.replicate_commands() end
local call, byte, sub = redis.call, string.byte, string.sub
local pack, unpack_from = struct.pack, struct.unpack

local FORMAT = 1
local ANSWERS = 64
local ANSWER_MS = 3600000

local BOX = sub(KEYS[1], 1, -4)
local PROCESS = ARGV[1]
local AGAIN = sub(ARGV[2], -1) == 'r'
local REQUEST = tonumber(AGAIN and sub(ARGV[2], 1, -2) or ARGV[2])
local ANSWER = BOX .. 'a:' .. PROCESS .. ':' .. (REQUEST % ANSWERS)

local format = call('HGET', KEYS[1], 'format')
if not format then return redis.error_reply('ACKBOX_ABSENT this box was never opened, or its keys were removed') end
if tonumber(format) > FORMAT then
  return redis.error_reply('ACKBOX_NEWER expected format ' .. FORMAT .. ' at most, found ' .. format)
end

local clock = call('TIME')
local MICROS = clock[1] * 1000000 + clock[2]
local NOW = tonumber(ARGV[3]) or math.floor(MICROS / 1000)
if ARGV[3] ~= '' then MICROS = NOW * 1000 end

-- What was answered to this request before, if it is not new.
local function earlier_answer()
  local kept = call('GET', ANSWER)
  if not kept then return nil end
  local number = unpack_from('>I8', kept)
  if number < REQUEST then return nil end
  if number > REQUEST then return nil, redis.error_reply('ACKBOX_STALE the answer to this request is not kept any more') end
  return cmsgpack.unpack(sub(kept, 9))
end

-- Keeps what is answered.
local function keep(reply)
  call('SET', ANSWER, pack('>I8', REQUEST) .. cmsgpack.pack(reply), 'PX', ANSWER_MS)
  return reply
end

-- What changed nothing need not be kept: asked again, it sees what is then. But once it was asked again, a first
-- copy that was only late must not do anything any more.
local function pass(reply) return AGAIN and keep(reply) or reply end
