-- Counts one more in a window, which begins with its first.
-- KEYS[1] the count. ARGV[1] the length of a window in milliseconds.
-- Answers with the count, this one too, and the milliseconds that are left of the window.
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
-- Also of a count that has lost its end, or it would never be forgotten.
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return { count, left }
