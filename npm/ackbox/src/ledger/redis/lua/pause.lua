-- Pauses a queue for all workers, or lets it go on.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    process, request, time; 1 or 0
-- Result  1 if that changed anything
-- Cost    O(1)
--#include call queue
local known, refusal = earlier_answer()
if refusal then return refusal end
if known then return known end
local Q = queue_of(KEYS[2])
if not Q then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
local paused = tonumber(ARGV[4])
if Q.paused == paused then return pass(0) end
call('HSET', Q.q, 'paused', paused)
if paused == 0 then wake(Q) end
flush(Q)
return keep(1)
