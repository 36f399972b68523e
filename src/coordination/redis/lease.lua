#!lua flags=allow-oom
-- Takes one step with a lease. It writes little, so it may write even if the memory of Redis is full.
--
-- KEYS  1 the lease: a hash of holder and note, which expires with the lease; 2 its switch
-- ARGV  1 the step: hold, look, release, end, on, off, forget; 2 the node; 3 its note;
--       4 milliseconds to hold it; 5 '1' if the lease may be held while nobody has switched it;
--       6 milliseconds to keep the switch
-- Answers {holder, note, switch}; each is empty if there is none
local lease, switch = KEYS[1], KEYS[2]
local step, node, kept = ARGV[1], ARGV[2], ARGV[6]
local holder = redis.call('HGET', lease, 'holder')

if (step == 'release' or step == 'end') and holder == node then
  redis.call('DEL', lease)
  holder = false
  if step == 'end' then step = 'off' end
end
if step == 'on' or step == 'off' then redis.call('SET', switch, step, 'PX', kept) end
if step == 'forget' then redis.call('DEL', switch) end

local switched = redis.call('GET', switch)
if switched then redis.call('PEXPIRE', switch, kept) end
local is_on = (switched or (ARGV[5] == '1' and 'on')) == 'on'
if step == 'hold' and (not holder or holder == node) and is_on then
  redis.call('HSET', lease, 'holder', node, 'note', ARGV[3])
  redis.call('PEXPIRE', lease, ARGV[4])
  return { node, ARGV[3], switched or '' }
end
return { holder or '', holder and redis.call('HGET', lease, 'note') or '', switched or '' }
