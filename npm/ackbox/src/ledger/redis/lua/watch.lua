-- Waits for the end of messages: who asks is told on {tag}:wake as `end KEY NAME` when one ends.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    process, request, time; then keys
-- Result  one character for each: w it has not ended (or was never seen) and is watched, e it has ended
-- Cost    O(keys)
--#include call queue track
local known, refusal = earlier_answer()
if refusal then return refusal end
if known then return known end
local Q = queue_of(KEYS[2])
if not Q then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
local codes = {}
for at = 4, #ARGV do
  local key = ARGV[at]
  local text = call('HGET', Q._t, key)
  local ended = call('HEXISTS', Q._i, key) == 1 or text and tracked(text).state == DEAD
  if not ended then add(Q, 'watched', call('SADD', Q._f, key)) end
  codes[at - 3] = ended and 'e' or 'w'
end
flush(Q)
return pass(table.concat(codes))
