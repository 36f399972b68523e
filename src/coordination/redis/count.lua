-- Adds one to the count of a window. A window begins with its first count.
-- KEYS[1] the count. ARGV[1] the length of a window in milliseconds.
-- Answers the new count, and the milliseconds left of the window.
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
-- A count without an expiry would stay for ever, so it gets one, whether it is new or has lost its own.
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return { count, left }
