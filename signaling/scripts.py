"""Lua for what must change together: the server runs a script as one step."""

# KEYS person, log, once. ARGV event, payload, sealed, once field, once value, log length, ttl, channel, nudge.
APPEND = """
if ARGV[4] ~= '' then
  if redis.call('HGET', KEYS[3], ARGV[4]) == ARGV[5] then return 0 end
  redis.call('HSET', KEYS[3], ARGV[4], ARGV[5])
  redis.call('EXPIRE', KEYS[3], ARGV[7])
end
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[6], seq .. '-0', 'e', ARGV[1], 'p', ARGV[2], 'x', ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[7])
redis.call('PUBLISH', ARGV[8], ARGV[9])
return seq
"""

# KEYS person, beats, lost. ARGV how, seat, now, oldest living beat, new resume hash, presented hash, member, channel,
# nudge.
CLAIM = """
local seq = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
if redis.call('HGET', KEYS[1], 'state') == 'removed' then return {'removed', seq, 0} end
local seat = redis.call('HGET', KEYS[1], 'seat') or ''
local resume = redis.call('HGET', KEYS[1], 'resume') or ''
local lost = redis.call('ZSCORE', KEYS[3], ARGV[7])
local beat = redis.call('ZSCORE', KEYS[2], ARGV[7])
local previous = ''
if ARGV[1] == 'resume' then
  local before = redis.call('HGET', KEYS[1], 'resume_previous') or ''
  if ARGV[6] == '' or (ARGV[6] ~= resume and ARGV[6] ~= before) then return {'expired', seq, 0} end
  previous = ARGV[6]
elseif ARGV[1] == 'fresh' then
  if seat ~= '' and not lost and beat and tonumber(beat) > tonumber(ARGV[4]) then return {'taken', seq, 0} end
end
local was_lost = redis.call('HGET', KEYS[1], 'lost_at') and 1 or 0
redis.call('HSET', KEYS[1], 'seat', ARGV[2], 'seat_how', ARGV[1], 'resume', ARGV[5], 'resume_previous', previous)
redis.call('HDEL', KEYS[1], 'lost_at')
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[7])
redis.call('ZREM', KEYS[3], ARGV[7])
redis.call('PUBLISH', ARGV[8], ARGV[9])
return {'ok', seq, was_lost}
"""

# KEYS person, beats, lost. ARGV seat, now, member.
RELEASE = """
if redis.call('HGET', KEYS[1], 'seat') ~= ARGV[1] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[3], 'NX', ARGV[2], ARGV[3])
redis.call('HSETNX', KEYS[1], 'lost_at', ARGV[2])
return 1
"""

# KEYS beats, lost. ARGV oldest living beat, now. Those whose process went silent are lost from now on.
SILENT = """
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 200)
for _, member in ipairs(gone) do
  redis.call('ZREM', KEYS[1], member)
  redis.call('ZADD', KEYS[2], 'NX', ARGV[2], member)
end
return gone
"""

# KEYS lost. ARGV cutoff, lease until. Takes those whose grace is over; a taker that dies is followed by another.
OVERDUE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 100)
for _, member in ipairs(due) do redis.call('ZADD', KEYS[1], 'XX', ARGV[2], member) end
return due
"""

# KEYS person. ARGV allowed states (comma-separated, '*' for any), needs admission ('1' or ''), then fields and values.
# An empty value deletes its field.
MOVE = """
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return {0, ''} end
if ARGV[1] ~= '*' and not string.find(',' .. ARGV[1] .. ',', ',' .. state .. ',', 1, true) then return {0, state} end
if ARGV[2] == '1' and redis.call('HGET', KEYS[1], 'admitted') ~= '1' then return {0, state} end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
  else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
return {1, state}
"""

# KEYS room, placed, version. ARGV expected worker, expected boot, worker, boot, host, port, ttl, reason, seen version
# (-1: whatever it is), entry, window (ms). The present room; nothing if others placed rooms since the view was taken.
ASSIGN_ROOM = """
local id = redis.call('HGET', KEYS[1], 'worker') or ''
local boot = redis.call('HGET', KEYS[1], 'boot') or ''
if id == ARGV[1] and boot == ARGV[2] then
  local version = tonumber(redis.call('GET', KEYS[3]) or '0')
  local seen = tonumber(ARGV[9])
  if seen >= 0 and seen ~= version then return false end
  redis.call('HSET', KEYS[1], 'worker', ARGV[3], 'boot', ARGV[4], 'host', ARGV[5], 'port', ARGV[6], 'reason', ARGV[8])
  redis.call('HINCRBY', KEYS[1], 'generation', 1)
  redis.call('EXPIRE', KEYS[1], ARGV[7])
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZADD', KEYS[2], now, ARGV[10])
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[11])
  redis.call('PEXPIRE', KEYS[2], ARGV[11])
  redis.call('SET', KEYS[3], version + 1)
end
return redis.call('HMGET', KEYS[1], 'worker', 'boot', 'host', 'port', 'generation', 'reason')
"""
