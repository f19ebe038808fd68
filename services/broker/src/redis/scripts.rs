//! The scripts that touch a peer's record and mailbox, each only keys of one partition, and two of a node's own.
//! Not when they run (`attach`, `reclaim`, `mod`), nor what their answers mean (`record`, `call`).
//!
//! The record is a hash: `v` (the fence), `session`, `node`, `inc` (which run of that node), `state`,
//! `secret` (SHA-1 of the resume secret, which has 128 random bits), `b` (bytes in the mailbox), and of a
//! detached session `q` (last event number), `t` (its tail) and `m:<sender>` (the marks of each sender).
//!
//! The fence only grows: `max(v + 1, time in µs)`, so that it grows even when Redis lost the record. Ids
//! are written with 20 digits and compared as text: Lua's numbers lose the lowest digits of a large one.

use redis::{Cmd, Pipeline, Script};

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $source:literal;)*) => {
        /// Which script.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Operation {
            $($(#[$doc])* $name,)*
        }

        impl Operation {
            const ALL: [Self; [$(stringify!($name)),*].len()] = [$(Self::$name),*];

            const fn source(self) -> &'static str {
                match self {
                    $(Self::$name => $source,)*
                }
            }
        }
    };
}

scripts! {
    /// Keys: record, mailbox. Arguments: session, node, run, secret, whether to resume, window in ms.
    /// Answers `lost`, or fence, holder's node, session and state, the old record, the letters.
    Claim = r"
local old = redis.call('HMGET', KEYS[1], 'v', 'node', 'session', 'state', 'secret', 'b')
local secret = redis.sha1hex(ARGV[4])
if ARGV[5] == '1' and (old[3] ~= ARGV[1] or old[5] ~= secret) then return {'lost'} end
local time = redis.call('TIME')
local v = string.format('%.0f', math.max((tonumber(old[1]) or 0) + 1, time[1] * 1000000 + time[2]))
local record = redis.call('HGETALL', KEYS[1])
local letters = redis.call('LRANGE', KEYS[2], 0, -1)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'v', v, 'session', ARGV[1], 'node', ARGV[2], 'inc', ARGV[3], 'state', 'attached', 'secret', secret)
if #letters > 0 then
  redis.call('HSET', KEYS[1], 'b', old[6] or '0')
  redis.call('PEXPIRE', KEYS[2], ARGV[6] * 2)
end
return {v, old[2] or '', old[3] or '', old[4] or '', record, letters}
";

    /// Keys: record. Arguments: session, node, run, secret, fence. Answers the higher fence that stands, or 0.
    Reassert = r"
local v = redis.call('HGET', KEYS[1], 'v')
if v and tonumber(v) > tonumber(ARGV[5]) then return v end
redis.call('PERSIST', KEYS[1])
redis.call('HSET', KEYS[1], 'v', ARGV[5], 'session', ARGV[1], 'node', ARGV[2], 'inc', ARGV[3], 'state', 'attached', 'secret', redis.sha1hex(ARGV[4]))
return '0'
";

    /// Keys: record, mailbox. Arguments: session, node, fence (0: any).
    Release = r"
local old = redis.call('HMGET', KEYS[1], 'session', 'node', 'v')
if old[1] == ARGV[1] and old[2] == ARGV[2] and (ARGV[3] == '0' or old[3] == ARGV[3]) then
  return redis.call('DEL', KEYS[1], KEYS[2])
end
return 0
";

    /// Keys: record, mailbox. Arguments: session, node, fence (0: any), last number (or nothing), tail, window in ms, then
    /// sender and marks, alternating. What was left in the mailbox meanwhile stays behind the marks.
    Detach = r"
local old = redis.call('HMGET', KEYS[1], 'session', 'node', 'v')
if old[1] ~= ARGV[1] or old[2] ~= ARGV[2] or (ARGV[3] ~= '0' and old[3] ~= ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], 'state', 'detached')
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'q', ARGV[4], 't', ARGV[5]) end
for i = 7, #ARGV, 2 do
  local field, marks = 'm:' .. ARGV[i], ARGV[i + 1]
  local last, left = string.sub(marks, -20), redis.call('HGET', KEYS[1], field)
  if left then
    for first, final in string.gmatch(left, '(%d+)-(%d+)') do
      if first > last then marks = marks .. ',' .. first .. '-' .. final end
    end
  end
  redis.call('HSET', KEYS[1], field, marks)
end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
return 1
";

    /// Keys: record, mailbox. Arguments: sender, id, id before it, whether also if attached (1) or because
    /// the holder is dead (2), envelope, most letters, most bytes, window in ms, the dead holder's run. Answers a word, and with
    /// `queued` how long it is kept and the node, with `attached` node and run.
    Leave = r"
local r = redis.call('HMGET', KEYS[1], 'state', 'node', 'inc', 'b', 'm:' .. ARGV[1])
if not r[1] then return {'offline'} end
if r[1] == 'attached' and (ARGV[4] == '0' or (ARGV[4] == '2' and r[3] ~= ARGV[9])) then return {'attached', r[2], r[3]} end
local none = string.rep('0', 20)
local id, done, list, last = ARGV[2], none, '', none
local ttl = r[1] == 'attached' and tonumber(ARGV[8]) or redis.call('PTTL', KEYS[1])
if r[5] then
  done, list = string.match(r[5], '^(%d+);(.*)$')
  for first, final in string.gmatch(list, '(%d+)-(%d+)') do
    if id >= first and id <= final then
      if id <= done then return {'delivered'} end
      return {'queued', ttl, r[2]}
    end
    last = final
  end
end
if id < last then return {'late'} end
if ARGV[3] > last then return {'gap'} end
local bytes = tonumber(r[4] or '0')
local count = redis.call('LLEN', KEYS[2])
if count >= tonumber(ARGV[6]) or (count > 0 and bytes + #ARGV[5] > tonumber(ARGV[7])) then return {'full'} end
redis.call('RPUSH', KEYS[2], ARGV[5])
if list ~= '' then list = list .. ',' end
redis.call('HSET', KEYS[1], 'b', bytes + #ARGV[5], 'm:' .. ARGV[1], done .. ';' .. list .. id .. '-' .. id)
if r[1] == 'attached' and ARGV[4] == '2' then
  redis.call('HSET', KEYS[1], 'state', 'detached')
  redis.call('PEXPIRE', KEYS[1], ttl)
end
redis.call('PEXPIRE', KEYS[2], ttl)
return {'queued', ttl, r[2]}
";

    /// Keys: record, mailbox. Arguments: session, node, run. Answers the letters.
    Look = r"
local old = redis.call('HMGET', KEYS[1], 'session', 'node', 'inc')
if old[1] ~= ARGV[1] or old[2] ~= ARGV[2] or old[3] ~= ARGV[3] then return {} end
return redis.call('LRANGE', KEYS[2], 0, -1)
";

    /// Keys: record, mailbox. Arguments: session, node, run, letters, bytes.
    MailDone = r"
local old = redis.call('HMGET', KEYS[1], 'session', 'node', 'inc')
if old[1] ~= ARGV[1] or old[2] ~= ARGV[2] or old[3] ~= ARGV[3] then return 0 end
redis.call('LTRIM', KEYS[2], ARGV[4], -1)
if redis.call('LLEN', KEYS[2]) == 0 then
  redis.call('HDEL', KEYS[1], 'b')
else
  redis.call('HINCRBY', KEYS[1], 'b', -ARGV[5])
end
return 1
";

    /// Keys: record. Arguments: session, node, run. Says that the client was just heard.
    Alive = r"
local old = redis.call('HMGET', KEYS[1], 'session', 'node', 'inc')
if old[1] ~= ARGV[1] or old[2] ~= ARGV[2] or old[3] ~= ARGV[3] then return 0 end
return redis.call('HINCRBY', KEYS[1], 'alive', 1)
";

    /// Keys: lease. Arguments: run. Gives the lease back, if it is still this run's.
    EndLease = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
";

    /// Keys: crowd. Arguments: node, its connections (nothing: it is not to be counted), for how long that stands
    /// in ms, most nodes. Answers the connections of the others.
    Meet = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local all, others, known = redis.call('HGETALL', KEYS[1]), {}, 0
for i = 1, #all, 2 do
  local count, ends = string.match(all[i + 1], '^(%d+) (%d+)$')
  if all[i] == ARGV[1] or not ends or tonumber(ends) <= now then
    redis.call('HDEL', KEYS[1], all[i])
  else
    known = known + 1
    if known < tonumber(ARGV[4]) then others[known] = tonumber(count) end
  end
end
if ARGV[2] ~= '' and known < tonumber(ARGV[4]) then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%s %.0f', ARGV[2], now + ARGV[3]))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return others
";
}

/// The scripts' hashes, computed once.
#[derive(Debug)]
pub(crate) struct Scripts([String; Operation::ALL.len()]);

impl Scripts {
    pub(crate) fn new() -> Self {
        Self(Operation::ALL.map(|operation| Script::new(operation.source()).get_hash().to_owned()))
    }

    /// The beginning of a call, up to the number of keys. `with_source` is for a Redis that has forgotten
    /// the script.
    pub(crate) fn call(&self, operation: Operation, keys: usize, with_source: bool) -> Cmd {
        let mut command = Cmd::with_capacity(16, 512);
        if with_source {
            command.arg("EVAL").arg(operation.source());
        } else {
            command.arg("EVALSHA").arg(&self.0[operation as usize]);
        }
        command.arg(keys);
        command
    }

    /// Makes Redis know the scripts.
    pub(crate) fn load(pipeline: &mut Pipeline) {
        for operation in Operation::ALL {
            pipeline.cmd("SCRIPT").arg("LOAD").arg(operation.source());
        }
    }
}
