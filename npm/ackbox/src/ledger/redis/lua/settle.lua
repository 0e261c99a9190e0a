-- Settles deliveries of one queue, each by itself.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    process, request, time; then items (settling.lua)
-- Result  one character for each item: k settled, L its lease is lost
-- Cost    O(items), O(log n) each
--#include call queue sheet track ends history settling
local known, refusal = earlier_answer()
if refusal then return refusal end
if known then return known end
local Q = queue_of(KEYS[2])
if not Q then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
local items, codes, settled = {}, {}, {}
for at = 4, #ARGV do items[at - 3] = settlement(ARGV[at]) end
for from = 1, #items, AT_ONCE do
  local til = math.min(from + AT_ONCE - 1, #items)
  local keys = {}
  for at = from, til do keys[#keys + 1] = items[at].key end
  local tracks = call('HMGET', Q._t, unpack(keys))
  for at = from, til do
    local one = items[at]
    local it = not settled[one.key] and held(one.key, one.token, tracks[at - from + 1])
    if it then
      settled[one.key] = true
      settle(Q, one, it)
    end
    codes[at] = it and 'k' or 'L'
  end
end
flush(Q)
local reply = table.concat(codes)
return next(settled) and keep(reply) or pass(reply)
