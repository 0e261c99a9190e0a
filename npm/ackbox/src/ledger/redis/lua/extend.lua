-- Makes leases longer, or shorter.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    process, request, time; then of each delivery key 16, token 8, ms from now 6
-- Result  one character for each: k extended, L its lease is lost
-- Cost    O(items), O(log n) each
--#include call queue sheet track ends history settling
local known, refusal = earlier_answer()
if refusal then return refusal end
if known then return known end
local Q = queue_of(KEYS[2])
if not Q then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
local codes = {}
for at = 4, #ARGV do
  local key, token, ms = unpack_from('>c16I8I6', ARGV[at])
  local it = held(key, token, call('HGET', Q._t, key) or nil)
  codes[at - 3] = it and 'k' or 'L'
  if it then
    it.til = NOW + ms
    -- Removed first, so that leases can be kept when memory is full.
    later(Q, 'ZREM', 'l', key)
    later(Q, 'HSET', 't', key, track(it))
    later(Q, 'ZADD', 'l', string.format('%.0f', it.til), key)
  end
end
flush(Q)
return keep(table.concat(codes))
