-- Dead letters wait again, with their attempts counted anew; in this queue or in another one.
--
-- KEYS    {tag}:box, {tag}:q:NAME, and {tag}:q:OTHER if they move
-- ARGV    process, request, time; 1: forget recorded steps; then keys
-- Result  one character for each: k moved, n there is no such dead letter, x the other queue knows its id
-- Cost    O(keys), O(log n) each
--#include call queue sheet track ends
local known, refusal = earlier_answer()
if refusal then return refusal end
if known then return known end
local Q = queue_of(KEYS[2])
local to = KEYS[3] and queue_of(KEYS[3])
if not Q or KEYS[3] and not to then return redis.error_reply('ACKBOX_UNDEFINED the queue was not declared') end
local T = to or Q
local codes, any = {}, false

local function revive(key)
  local text, message = call('HGET', Q._t, key), call('HGET', Q._m, key)
  if not text or not message then return 'n' end
  local it = tracked(text)
  if it.state ~= DEAD then return 'n' end
  if to and (call('HEXISTS', to._m, key) == 1 or call('HEXISTS', to._i, key) == 1) then return 'x' end
  later(Q, 'ZREM', 'x', key)
  later(Q, 'HDEL', 'h', key)
  local steps = key_within(Q, 's', key)
  if ARGV[4] == '1' then
    call('DEL', steps)
    it.steps = 0
  elseif to and it.steps == 1 then
    call('RENAME', steps, key_within(to, 's', key))
  end
  add(T, 'next', 1)
  it.state, it.attempts, it.deaths, it.first, it.expires, it.reason = WAITING, 0, 0, 0, nil, 0
  local head = it.group and not to and call('HGET', Q._o, it.group) == key
  if not head then it.order = T.next end
  if to then
    later(Q, 'HDEL', 'm', key)
    later(Q, 'HDEL', 't', key)
    add(Q, 'depth', -1)
    add(Q, 'bytes', -it.size)
    if it.group and call('HGET', Q._o, it.group) == key then next_of_group(Q, it.group) end
    add(to, 'depth', 1)
    add(to, 'bytes', it.size)
    later(to, 'HSET', 'm', key, message)
  end
  later(T, 'HSET', 't', key, track(it))
  if it.group and not head and call('HSETNX', T._o, it.group, key) == 0 then
    call('RPUSH', key_within(T, 'g', it.group), entry(key, it.order))
  else
    place(T, key, it.priority, it.order)
  end
  return 'k'
end

for at = 5, #ARGV do
  local code = revive(ARGV[at])
  codes[at - 4] = code
  any = any or code == 'k'
end
flush(Q)
if to then flush(to) end
local reply = table.concat(codes)
return any and keep(reply) or pass(reply)
