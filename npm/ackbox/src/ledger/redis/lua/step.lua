-- Records what a step of a delivery gave. Who asks first has recorded it: the same name again changes nothing.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    process, request, time; key; token; most steps of a message; name of the step; its result
-- Result  { 'k' } recorded, { 'L' } the lease is lost, { 'f' } too many steps, { 'd', result } recorded before
-- Cost    O(1)
--#include call queue sheet track ends history settling
local known, refusal = earlier_answer()
if refusal then return refusal end
if known then return known end
local Q = queue_of(KEYS[2])
if not Q then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
local key, token = ARGV[4], tonumber(ARGV[5])
local it = held(key, token, call('HGET', Q._t, key) or nil)
if not it or it.steps == 2 then return pass({ 'L' }) end
local steps = key_within(Q, 's', key)
local before = call('HGET', steps, ARGV[7])
if before then return pass({ 'd', before }) end
if call('HLEN', steps) >= tonumber(ARGV[6]) then return pass({ 'f' }) end
call('HSET', steps, ARGV[7], ARGV[8])
if it.steps == 0 then
  it.steps = 1
  call('HSET', Q._t, key, track(it))
end
return keep({ 'k' })
