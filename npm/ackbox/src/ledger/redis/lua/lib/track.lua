-- What becomes of a message that was claimed: 72 bytes and the name of its group. Whoever settles needs nothing of
-- the message itself, which may be large.
--
--   token 8, process 12, until 6, attempts 2, deaths 2, first claim 6, state 1, flags 1, size 4, priority 1, order 6,
--   limit 2, print 8, expires 6, killer 1 (reason of a death), steps 1, group 2 + n
local WAITING, LEASED, DEAD, PARKED = 0, 1, 2, 3
local TRACK = '>I8c12I6HHI6BBI4BI6Hc8I6BBH'

local function track(it)
  local group = it.group or ''
  return pack(TRACK, it.token, it.process, it.til, it.attempts, it.deaths, it.first, it.state, it.flags, it.size,
    it.priority, it.order, it.limit, it.print, it.expires or 0, it.reason or 0, it.steps or 0, #group) .. group
end

local function tracked(text)
  local it = {}
  local length, at
  it.token, it.process, it.til, it.attempts, it.deaths, it.first, it.state, it.flags, it.size,
    it.priority, it.order, it.limit, it.print, it.expires, it.reason, it.steps, length, at = unpack_from(TRACK, text)
  if it.expires == 0 then it.expires = nil end
  if length > 0 then it.group = sub(text, at, at + length - 1) end
  return it
end

-- The track of a message that is claimed for the first time.
local function first_track(it)
  it.token, it.process, it.til, it.attempts, it.deaths, it.first, it.state, it.steps = 0, PROCESS, 0, 0, 0, 0, WAITING, 0
  return it
end
