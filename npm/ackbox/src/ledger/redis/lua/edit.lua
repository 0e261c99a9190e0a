-- Gives a dead letter another body or headers.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    process, request, time; key; its sheet, packed anew by who read it; the sheet that was read
-- Result  'k' done, 'n' there is no such dead letter, 'r' it is not what was read any more: read again
-- Cost    O(size)
--#include call queue sheet track
local known, refusal = earlier_answer()
if refusal then return refusal end
if known then return known end
local Q = queue_of(KEYS[2])
if not Q then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
local key = ARGV[4]
local text, message = call('HGET', Q._t, key), call('HGET', Q._m, key)
local it = text and message and tracked(text)
if not it or it.state ~= DEAD then return pass('n') end
if sub(message, HEAD + 1) ~= ARGV[6] then return pass('r') end
add(Q, 'bytes', #ARGV[5] - it.size)
it.size = #ARGV[5]
later(Q, 'HSET', 'm', key, sub(message, 1, HEAD) .. ARGV[5])
later(Q, 'HSET', 't', key, track(it))
flush(Q)
return keep('k')
