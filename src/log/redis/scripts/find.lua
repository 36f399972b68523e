-- Finds the message that a topic has under an idempotency key.
--
-- KEYS  1 meta, 2 epochs, 3 the topic's stream, 4 the idempotency key
-- ARGV  1 candidate epoch, 2 shards of the log
-- Answers {'sequence,offset' of the message or '', its entry if it is retained}
enter(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
local place = redis.call('GET', KEYS[4])
if not place then return { '' } end
local sequence, offset = place:match('^(%d+),(%d+)$')
local id = offset .. '-' .. sequence
return { place, redis.call('XRANGE', KEYS[3], id, id)[1] }
