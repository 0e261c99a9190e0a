-- Opens a numbered producer: raises its epoch, so that an older handle of the same name is fenced.
--
-- KEYS    {tag}:box
-- ARGV    process, request, time; name
-- Result  { epoch, watermark: all sequences up to it are taken }
-- Cost    O(1)
--#include call producing
local known, refusal = earlier_answer()
if refusal then return refusal end
if known then return known end
local producer = producer_of(ARGV[4])
producer.epoch = producer.epoch + 1
save_producer(producer)
return keep({ producer.epoch, string.format('%.0f', producer.watermark) })
