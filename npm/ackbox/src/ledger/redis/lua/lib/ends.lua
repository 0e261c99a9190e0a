-- How messages end: what is remembered of them, who is told, who comes next in their group.
--
-- An end is kept as state 1, time 6, print 8, attempt 2, then the result. It is kept through the queue's window for
-- ids that callers gave, and for an hour where somebody waits for it.
local COMPLETED, DIED, CANCELLED = 1, 2, 3
local WATCHED_MS = 3600000
local FORGET_AT_ONCE = 3

-- Forgets ends whose window is over: a few with each that is added, so the list never grows behind.
local function forget(Q, most, all)
  for _ = 1, most do
    local oldest = call('LINDEX', Q._e, 0)
    if not oldest then return end
    local key, time, til = sub(oldest, 1, 16), unpack_from('>I6I6', oldest, 17)
    if til > NOW and not all then return end
    call('LPOP', Q._e)
    local kept = call('HGET', Q._i, key)
    if kept and unpack_from('>I6', kept, 2) == time then call('HDEL', Q._i, key) end
  end
end

local function remember(Q, key, it, state, result)
  local watched = Q.watched > 0 and call('SREM', Q._f, key) == 1
  if watched then
    add(Q, 'watched', -1)
    call('PUBLISH', BOX .. 'wake', 'end ' .. key .. Q.name)
  end
  local keeps = has(it.flags, ID) and Q.windowMs > 0 and state == COMPLETED
  if not keeps and not watched then return end
  local til = NOW + (keeps and Q.windowMs or WATCHED_MS)
  later(Q, 'HSET', 'i', key, pack('>BI6c8H', state, NOW, it.print, it.attempts or 0) .. (result or ''))
  later(Q, 'RPUSH', 'e', key .. pack('>I6I6', NOW, til))
  forget(Q, FORGET_AT_ONCE)
end

-- A message among those that are not due: with what its rank needs, so that nobody has to read it when it is.
local function delayed(key, priority, order) return key .. pack('>BI6', priority, order) end

-- A message in a list: with its order, so that what is left of one that was removed is never taken for a later one.
local function entry(key, order) return key .. pack('>I6', order) end

-- Puts a message where it waits: not due, or by its rank.
local function place(Q, key, priority, order, due)
  if due and due > NOW then
    later(Q, 'ZADD', 'd', string.format('%.0f', due), delayed(key, priority, order))
    wake(Q, due)
  else
    later(Q, 'ZADD', 'r', string.format('%.0f', rank(priority, order)), key)
    wake(Q)
  end
end

-- The head of a group is gone: the next member comes to the end of the line, so groups take turns.
local function next_of_group(Q, group)
  local list = key_within(Q, 'g', group)
  while true do
    local found = call('LPOP', list)
    if not found then
      call('HDEL', Q._o, group)
      return
    end
    local key = sub(found, 1, 16)
    local message, text = call('HGET', Q._m, key), call('HGET', Q._t, key)
    local it = message and stored(message)
    local order = text and tracked(text).order or it and it.order
    if message and order == unpack_from('>I6', found, 17) then
      call('HSET', Q._o, group, key)
      if it.due and it.due > NOW then
        place(Q, key, it.priority, order, it.due)
      else
        add(Q, 'next', 1)
        place(Q, key, it.priority, Q.next)
      end
      return
    end
  end
end

-- Removes a message for good. `it`: its track, or its sheet if it was never claimed.
local function remove(Q, key, it)
  later(Q, 'HDEL', 'm', key)
  if it.token then later(Q, 'HDEL', 't', key) end
  if (it.attempts or 0) > 0 or it.state == DEAD then later(Q, 'HDEL', 'h', key) end
  if it.steps == 1 then call('DEL', key_within(Q, 's', key)) end
  add(Q, 'depth', -1)
  add(Q, 'bytes', -it.size)
end
