-- Parks destinations, or brings them back; says what their circuits are to all workers.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    process, request, time; most messages to bring back; then destination and until when it is parked, in turn (0: not any more).
--         A destination that is parked is parked until the later of the two times
-- Result  for each: 'p' parked, 'u' back, 'm' there is more to bring back: call again
-- Cost    O(destinations + messages brought back), O(log n) each
-- Tells   on {tag}:wake `circuit NAME UNTIL DESTINATION`, as a hint
--#include call queue parking
local known, refusal = earlier_answer()
if refusal then return refusal end
if known then return known end
local Q = queue_of(KEYS[2])
if not Q then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
local codes, most = {}, tonumber(ARGV[4])
for at = 5, #ARGV, 2 do
  local destination, til = ARGV[at], tonumber(ARGV[at + 1])
  if til > NOW then
    local before = call('ZSCORE', Q._p, destination)
    if not before then add(Q, 'parked', 1) end
    call('ZADD', Q._p, string.format('%.0f', math.max(til, tonumber(before or 0))), destination)
    codes[#codes + 1] = 'p'
  else
    -- With messages left it stays in the list, but its time is over: claims bring back the rest.
    if call('ZSCORE', Q._p, destination) then call('ZADD', Q._p, 0, destination) end
    codes[#codes + 1] = unpark(Q, destination, most) and 'u' or 'm'
  end
  call('PUBLISH', BOX .. 'wake', 'circuit ' .. #Q.name .. ' ' .. Q.name .. ' ' .. ARGV[at + 1] .. ' ' .. destination)
end
flush(Q)
return keep(table.concat(codes))
