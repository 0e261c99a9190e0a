-- Removes a slice of what waits, as far as it was accepted by then; what is leased or dead stays.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    process, request, time; last order to remove (0: what was accepted until now); cursor (0 at first); about how many to look at
-- Result  { cursor to go on with (0: done), last order, how many were removed }
-- Cost    O(looked at)
--#include call queue sheet track ends
local known, refusal = earlier_answer()
if refusal then return refusal end
if known then return known end
local Q = queue_of(KEYS[2])
if not Q then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
local last = tonumber(ARGV[4])
if last == 0 then last = Q.next end
local page = call('HSCAN', Q._m, ARGV[5], 'COUNT', ARGV[6])
local removed = 0
for at = 1, #page[2], 2 do
  local key, message = page[2][at], page[2][at + 1]
  local text = call('HGET', Q._t, key)
  local it = text and tracked(text) or stored(message)
  if it.order <= last and (not text or it.state == WAITING) then
    removed = removed + 1
    local destination = stored(message).destination
    if destination then call('ZREM', key_within(Q, 'k', destination), key) end
    call('ZREM', Q._r, key)
    call('ZREM', Q._d, delayed(key, it.priority, it.order))
    call('HDEL', Q._m, key)
    remove(Q, key, it)
    remember(Q, key, it, CANCELLED)
    if it.group and call('HGET', Q._o, it.group) == key then next_of_group(Q, it.group) end
  end
end
flush(Q)
return keep({ page[1], string.format('%.0f', last), removed })
