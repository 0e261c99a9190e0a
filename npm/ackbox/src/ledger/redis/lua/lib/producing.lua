-- Numbered producers: {tag}:producers, a hash of name -> epoch 6, watermark 7, and the sequences above it that are
-- taken, as a bitmap of 128 bytes. Sequences count from 1.
local AHEAD = 1024

local function producer_of(name)
  local text = call('HGET', BOX .. 'producers', name)
  if not text then return { name = name, epoch = 0, watermark = 0, bits = string.rep('\0', AHEAD / 8) } end
  local epoch, watermark, at = unpack_from('>I6I7', text)
  return { name = name, epoch = epoch, watermark = watermark, bits = sub(text, at) }
end

local function save_producer(it)
  call('HSET', BOX .. 'producers', it.name, pack('>I6I7', it.epoch, it.watermark) .. it.bits)
end

-- Whether a sequence is taken; nil: it is too far ahead.
local function is_taken(it, sequence)
  local at = sequence - it.watermark - 1
  if at < 0 then return true end
  if at >= AHEAD then return nil end
  return math.floor(byte(it.bits, math.floor(at / 8) + 1) / 2 ^ (at % 8)) % 2 == 1
end

local function take_sequence(it, sequence)
  local bits = {}
  for at = 0, AHEAD - 1 do bits[at] = is_taken(it, it.watermark + 1 + at) end
  bits[sequence - it.watermark - 1] = true
  local shift = 0
  while bits[shift] do shift = shift + 1 end
  it.watermark = it.watermark + shift
  local bytes = {}
  for at = 0, AHEAD / 8 - 1 do
    local value = 0
    for bit_at = 0, 7 do
      if bits[shift + at * 8 + bit_at] then value = value + 2 ^ bit_at end
    end
    bytes[at + 1] = string.char(value)
  end
  it.bits = table.concat(bytes)
end
