-- Takes messages out: cancels what waits or is leased, removes dead letters, frees ids, makes what is scheduled ready.
--
-- KEYS    {tag}:box, {tag}:q:NAME
-- ARGV    process, request, time; what: cancel, remove (dead letters), forget (ended ids), now (retry at once); then keys
-- Result  one character for each: k done, n there is none such
-- Cost    O(keys), O(log n) each
--#include call queue sheet track ends
local known, refusal = earlier_answer()
if refusal then return refusal end
if known then return known end
local Q = queue_of(KEYS[2])
if not Q then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
local what, codes = ARGV[4], {}

local function take_out(key)
  if what == 'forget' then return call('HDEL', Q._i, key) == 1 end
  local message = call('HGET', Q._m, key)
  if not message then return false end
  local text = call('HGET', Q._t, key)
  local it = text and tracked(text) or stored(message)
  local dead = it.state == DEAD
  if what == 'now' then
    local member = delayed(key, it.priority, it.order)
    if dead or call('ZREM', Q._d, member) == 0 then return false end
    call('ZADD', Q._r, string.format('%.0f', rank(it.priority, it.order)), key)
    wake(Q)
    return true
  end
  if dead ~= (what == 'remove') then return false end
  -- The sets are tidied; in a list it leaves its entry behind, which is passed over.
  local destination = stored(message).destination
  if destination then call('ZREM', key_within(Q, 'k', destination), key) end
  call('ZREM', Q._r, key)
  call('ZREM', Q._d, delayed(key, it.priority, it.order))
  if text then
    later(Q, 'ZREM', dead and 'x' or 'l', key)
  end
  remove(Q, key, it)
  if not dead then remember(Q, key, it, CANCELLED) end
  if it.group and call('HGET', Q._o, it.group) == key then next_of_group(Q, it.group) end
  return true
end

local any = false
for at = 5, #ARGV do
  local done = take_out(ARGV[at])
  codes[at - 4] = done and 'k' or 'n'
  any = any or done
end
flush(Q)
local reply = table.concat(codes)
return any and keep(reply) or pass(reply)
