-- What every look begins with: it changes nothing, so it needs no number.
local call, sub, byte = redis.call, string.sub, string.byte
local BOX = sub(KEYS[1], 1, -4)
local NAME = sub(KEYS[2], #BOX + 3)
local function key_of(letter) return BOX .. letter .. ':' .. NAME end
local function key_within(name, letter, of) return BOX .. letter .. ':' .. #name .. ':' .. name .. ':' .. of end
