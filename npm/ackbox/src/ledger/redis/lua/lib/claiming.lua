-- What a claim is made of.
--
-- One claim sees to so much of what became due or ran out, and looks at the line so many times; the rest is for the next.
local PROMOTED = 1000
local ENDED_LEASES = 200
local UNPARKED = 1000
local ROUNDS = 8
local NEVER = 4503599627370496

local function head(it) return pack('>I8HHI6B', it.token, it.attempts, it.deaths, it.first, it.steps) end

-- What was leased under this request and still is.
local function claimed_before(Q, keys)
  local reply = { '0', '0' }
  for _, key in ipairs(keys) do
    local text, message = call('HGET', Q._t, key), call('HGET', Q._m, key)
    local it = text and tracked(text)
    if it and message and it.state == LEASED and it.process == PROCESS and it.til > NOW then
      reply[#reply + 1] = key
      reply[#reply + 1] = head(it)
      reply[#reply + 1] = message
    end
  end
  return reply
end

-- What is due may be claimed.
local function promote(Q)
  local due = call('ZRANGEBYSCORE', Q._d, '-inf', string.format('%.0f', NOW), 'LIMIT', 0, PROMOTED)
  if #due == 0 then return end
  local ranked = {}
  for _, member in ipairs(due) do
    ranked[#ranked + 1] = string.format('%.0f', rank(unpack_from('>BI6', member, 17)))
    ranked[#ranked + 1] = sub(member, 1, 16)
  end
  send('ZREM', Q._d, due)
  send('ZADD', Q._r, ranked)
end

-- Leases that ran out end their attempt: the message waits again at once, or is dead if that was its last.
local function end_leases(Q)
  local over = call('ZRANGEBYSCORE', Q._l, '-inf', string.format('%.0f', NOW), 'LIMIT', 0, ENDED_LEASES)
  if #over == 0 then return end
  send('ZREM', Q._l, over)
  local tracks = call('HMGET', Q._t, unpack(over))
  for at, key in ipairs(over) do
    local it = tracks[at] and tracked(tracks[at])
    if it and it.steps == 2 then -- at most once: only its group waited
      later(Q, 'HDEL', 't', key)
      next_of_group(Q, it.group)
    elseif it then
      count(Q, 'leasesLost')
      it.deaths = math.min(it.deaths + 1, 65535)
      note(Q, key, it.attempts, REASONS['lease-expired'], '')
      if it.limit > 0 and it.attempts >= it.limit then
        bury(Q, key, it, REASONS['lease-expired'])
      else
        it.state, it.til = WAITING, 0
        later(Q, 'HSET', 't', key, track(it))
        place(Q, key, it.priority, it.order)
      end
    end
  end
  flush(Q)
end

-- Destinations whose time is over: what is parked under them comes back, a slice with each claim.
local function unpark_due(Q)
  if Q.parked == 0 then return end
  for _, destination in ipairs(call('ZRANGEBYSCORE', Q._p, '-inf', string.format('%.0f', NOW), 'LIMIT', 0, 4)) do
    unpark(Q, destination, UNPARKED)
  end
end

-- The first keys of the line, by priority and order: those with a rank of their own merged with the plain ones. Beside
-- each plain one the order that its message must have.
local function candidates(Q, n)
  local ranked = call('ZRANGE', Q._r, 0, n - 1, 'WITHSCORES')
  local plain = {}
  if #ranked == 0 then
    plain = call('LPOP', Q._w, n) or {}
  elseif #ranked < 2 * n or tonumber(ranked[#ranked]) > rank(0, 0) then
    plain = call('LRANGE', Q._w, 0, n - 1)
  end
  local keys, orders, removed, from_ranked, from_plain = {}, {}, {}, 1, 1
  while #keys < n and (ranked[from_ranked] or plain[from_plain]) do
    local order = plain[from_plain] and unpack_from('>I6', plain[from_plain], 17)
    if order and (not ranked[from_ranked] or rank(0, order) < tonumber(ranked[from_ranked + 1])) then
      keys[#keys + 1] = sub(plain[from_plain], 1, 16)
      orders[#keys] = order
      from_plain = from_plain + 1
    else
      keys[#keys + 1] = ranked[from_ranked]
      removed[#removed + 1] = ranked[from_ranked]
      from_ranked = from_ranked + 2
    end
  end
  if #removed > 0 then send('ZREM', Q._r, removed) end
  if #ranked > 0 and from_plain > 1 then call('LPOP', Q._w, from_plain - 1) end
  return keys, orders
end

-- At most once: the message is settled before anybody sees it. Only a group waits for the handler.
local function hand_over(Q, key, it)
  later(Q, 'HDEL', 'm', key)
  if it.attempts > 1 then later(Q, 'HDEL', 'h', key) end
  add(Q, 'depth', -1)
  add(Q, 'bytes', -it.size)
  remember(Q, key, it, COMPLETED, '')
  if it.group then
    it.steps = 2
    later(Q, 'HSET', 't', key, track(it))
    later(Q, 'ZADD', 'l', string.format('%.0f', it.til), key)
  elseif it.attempts > 1 then
    later(Q, 'HDEL', 't', key)
  end
end

-- How many may start now at a rate over all workers (generic cell rate), when the next may, and what is due after k started.
local function permits(Q, name, limit, per, want)
  local interval = per * 1000 / limit
  local due = math.max(tonumber(call('HGET', Q._n, name) or 0), MICROS)
  local early = MICROS + interval * (limit - 1) - due
  local free = early < 0 and 0 or math.min(want, math.floor(early / interval) + 1)
  local at = math.ceil((due + interval * free - interval * (limit - 1)) / 1000)
  return free, free < want and at or nil, function(started) return due + interval * started end
end

-- When there may be more to claim: what is due, a lease that ends, a destination that comes back, a rate.
local function next_time(Q, rate_at)
  local soonest = math.huge
  for _, letter in ipairs({ '_d', '_l', '_p' }) do
    local first = call('ZRANGE', Q[letter], 0, 0, 'WITHSCORES')
    if first[2] then soonest = math.min(soonest, tonumber(first[2])) end
  end
  if rate_at then soonest = math.min(soonest, rate_at) end
  return soonest == math.huge and 0 or soonest
end
