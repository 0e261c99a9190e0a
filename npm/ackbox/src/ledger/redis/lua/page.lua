-- Keys of a page of messages: the dead ones in the order of their deaths, or what waits or is leased.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    which: dead, ready, scheduled, leased; from this score on; how many to pass over; how many at most
-- Result  { key, score, ... }; of what is ready the line comes first as it is, without scores
-- Cost    O(log n + passed over + given)
--#include look
local from, offset, most = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local letters = { dead = 'x', scheduled = 'd', leased = 'l' }
local letter = letters[ARGV[1]]
if letter then
  local found = call('ZRANGEBYSCORE', key_of(letter), from, '+inf', 'WITHSCORES', 'LIMIT', offset, most)
  if letter == 'd' then
    for at = 1, #found, 2 do found[at] = sub(found[at], 1, 16) end
  end
  return found
end
local found = {}
for _, key in ipairs(call('ZRANGE', key_of('r'), offset, offset + most - 1)) do
  found[#found + 1] = key
  found[#found + 1] = '0'
end
local passed = math.max(offset - call('ZCARD', key_of('r')), 0)
if #found < 2 * most then
  for _, entry in ipairs(call('LRANGE', key_of('w'), passed, passed + most - 1 - #found / 2)) do
    local key = sub(entry, 1, 16)
    local message = call('HGET', key_of('m'), key)
    if message and sub(message, 1, 6) == sub(entry, 17) and call('HEXISTS', key_of('t'), key) == 0 then
      found[#found + 1] = key
      found[#found + 1] = '0'
    end
  end
end
return found
