-- Destinations that nobody shall claim for: their messages are parked under them as claims meet them.

-- Brings back a slice of what is parked under a destination, and forgets it with the last.
local function unpark(Q, destination, most)
  local parked = key_within(Q, 'k', destination)
  local back = call('ZRANGE', parked, 0, most - 1, 'WITHSCORES')
  local keys, ranked = {}, {}
  for at = 1, #back, 2 do
    keys[#keys + 1] = back[at]
    ranked[#ranked + 1] = back[at + 1]
    ranked[#ranked + 1] = back[at]
  end
  if #keys > 0 then
    send('ZREM', parked, keys)
    send('ZADD', Q._r, ranked)
    wake(Q)
  end
  if #keys == most then return false end
  if call('ZREM', Q._p, destination) == 1 then add(Q, 'parked', -1) end
  return true
end
