-- Stands before scripts that store or read the messages of an offline queue, KEYS[2]. An entry is
-- `<end in ms of Redis' clock> <envelope>`; one of an older node has no end, and lasts as long as the queue.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Returns the messages whose end has not come, oldest first, and removes the others. With `ttl`, they wait so long from
-- now on, in ms.
local function live_messages(ttl)
  local all, live, kept, gone = redis.call('LRANGE', KEYS[2], 0, -1), {}, {}, 0
  if #all == 0 then return live end
  local now = now_ms()
  for _, entry in ipairs(all) do
    local ends, envelope = string.match(entry, '^(%d+) (.*)$')
    envelope = envelope or entry
    if not ends or tonumber(ends) > now then
      live[#live + 1] = envelope
      kept[#kept + 1] = ttl and string.format('%.0f ', now + ttl) .. envelope or entry
    else
      gone = gone + #envelope
    end
  end
  if ttl or #kept < #all then
    local left = redis.call('PTTL', KEYS[2])
    redis.call('DEL', KEYS[2])
    for _, entry in ipairs(kept) do redis.call('RPUSH', KEYS[2], entry) end
    redis.call('PEXPIRE', KEYS[2], ttl or left)
    if gone > 0 then redis.call('HINCRBY', KEYS[1], 'b', -gone) end
  end
  return live
end

