-- A message as it is stored: order and time of acceptance, 6 bytes each, then its sheet as the client packed it:
--
--   flags     1 byte   1 delayed, 2 not before, 4 time to live, 8 caller's id, 16 group, 32 destination, 64 headers,
--                      128 the id is one that was generated earlier and is passed back
--   priority  1 byte
--   attempts  2 bytes  at most this many; 0: no limit
--   due       6 bytes  with 1: so long after acceptance; with 2: at that time
--   ttl       6 bytes
--   print     8 bytes  fingerprint of the body, then length (2 bytes) and text of the id
--   group, destination, headers: length (2 bytes) and text each
--   body      the rest
--
-- Numbers are big-endian. Nothing of a message changes but by `edit`.
local DELAY, AT, TTL, ID, GROUP, DESTINATION, KNOWN = 1, 2, 4, 8, 16, 32, 128
local HEAD = 12
local NO_PRINT = string.rep('\0', 8)
local RANKS = 17592186044416 -- 2^44 orders in one priority

local function has(flags, flag) return flags % (flag + flag) >= flag end

-- Reads a sheet that begins at `at`, up to its headers.
local function sheet(packed, at, accepted)
  local flags, priority, limit = byte(packed, at), byte(packed, at + 1), byte(packed, at + 2) * 256 + byte(packed, at + 3)
  local it = { flags = flags, priority = priority, limit = limit, print = NO_PRINT, size = #packed - at + 1 }
  if flags == 0 then return it end
  at = at + 4
  if flags % 4 ~= 0 then
    local due = unpack_from('>I6', packed, at)
    if has(flags, DELAY) then due = due + accepted end
    it.due = due
    at = at + 6
  end
  if has(flags, TTL) then
    it.expires = accepted + unpack_from('>I6', packed, at)
    at = at + 6
  end
  if has(flags, ID) then
    it.print = sub(packed, at, at + 7)
    at = at + 10 + byte(packed, at + 8) * 256 + byte(packed, at + 9)
  end
  if has(flags, GROUP) then
    local length = byte(packed, at) * 256 + byte(packed, at + 1)
    it.group = sub(packed, at + 2, at + 1 + length)
    at = at + 2 + length
  end
  if has(flags, DESTINATION) then
    local length = byte(packed, at) * 256 + byte(packed, at + 1)
    it.destination = sub(packed, at + 2, at + 1 + length)
  end
  return it
end

-- The sheet of a stored message, with its order.
local function stored(message)
  local order, accepted = unpack_from('>I6I6', message)
  local it = sheet(message, HEAD + 1, accepted)
  it.order, it.accepted = order, accepted
  return it
end

-- Higher priority first, then order: below 2^52, so exact as a score.
local function rank(priority, order) return (255 - priority) * RANKS + order end
