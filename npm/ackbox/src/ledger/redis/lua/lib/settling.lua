-- Settling deliveries. An item is its operation 1, key 16, token 8, and then
--   1 completed   its result
--   2 again       how 1 (1: costs no attempt, 2: at that time, not after so long), when 6, reason 1, error
--   3 dead        reason 1, error
--   4 given back  nothing: at once, at no cost
-- Without an error nothing is written into the history. Only who holds the lease settles: token and process
-- are those of the claim, and the lease has not run out. What became of it, one character: k settled, L lease lost.
local COMPLETE, AGAIN, BURY, RETURN = 1, 2, 3, 4

local function settlement(text)
  local operation, key, token = unpack_from('>Bc16I8', text)
  return { operation = operation, key = key, token = token, rest = sub(text, 26) }
end

-- The track of a delivery, if it may be settled.
local function held(key, token, text)
  if not text then return nil end
  local it = tracked(text)
  if it.state ~= LEASED or it.token ~= token or it.process ~= PROCESS or it.til <= NOW then return nil end
  return it
end

-- A delivery is over and its message waits again.
local function wait_again(Q, key, it, due)
  it.state, it.til = WAITING, 0
  later(Q, 'ZREM', 'l', key)
  later(Q, 'HSET', 't', key, track(it))
  place(Q, key, it.priority, it.order, due)
end

local function settle(Q, one, it)
  local key = one.key
  if it.steps == 2 then -- at most once: nothing is kept, whatever became of it
    later(Q, 'ZREM', 'l', key)
    later(Q, 'HDEL', 't', key)
    next_of_group(Q, it.group)
    return count(Q, one.operation == COMPLETE and 'acked' or 'rejected')
  end
  if one.operation == COMPLETE then
    later(Q, 'ZREM', 'l', key)
    remove(Q, key, it)
    remember(Q, key, it, COMPLETED, one.rest)
    if it.group then next_of_group(Q, it.group) end
    return count(Q, 'acked')
  end
  if one.operation == RETURN then
    it.attempts = math.max(it.attempts - 1, 0)
    return wait_again(Q, key, it)
  end
  count(Q, 'rejected')
  if one.operation == BURY then
    local failure = sub(one.rest, 2)
    if #failure > 0 then note(Q, key, it.attempts, byte(one.rest), failure) end
    later(Q, 'ZREM', 'l', key)
    return bury(Q, key, it, byte(one.rest))
  end
  local how, when, reason = unpack_from('>BI6B', one.rest)
  local failure = sub(one.rest, 9)
  if #failure > 0 then note(Q, key, it.attempts, reason, failure) end
  if how % 2 == 1 then it.attempts = math.max(it.attempts - 1, 0) end
  it.deaths = 0
  if how < 2 then when = NOW + when end
  count(Q, 'retried')
  wait_again(Q, key, it, when)
end
