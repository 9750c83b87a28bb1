"""The Lua that runs inside Redis 6.2 or newer: one atomic, idempotent write per person."""

RECORD = r"""
-- KEYS: session, events (one hash tag). ARGV: owner check (8 bytes), limits, events.
-- Returns one character per event: 1 stored, 0 duplicate. Layouts, and why a repetition never
-- changes anything: docs/redis.md.
local VERSION, HEADER, EVENTS_HEADER = 2, 26, 19
local PURCHASE, CLICK, VIEW, RETURN, IMPRESSION = 0, 2, 3, 4, 15
local check = ARGV[1]
local now, ttl, dedupe, keep_actions, keep_purchased, keep_seen, keep_ids =
  struct.unpack('<I4I4I4I2I2I2I2', ARGV[2])

local function load(key)
  local value = redis.pcall('GET', key)
  return type(value) == 'string' and value or ''
end

local function put(column, width, i, cell)      -- behind the i-th cell
  return column:sub(1, i * width) .. cell .. column:sub(i * width + 1)
end

local function cut(column, width, i)            -- without the i-th cell
  return column:sub(1, (i - 1) * width) .. column:sub(i * width + 1)
end

local function find(column, width, cell)        -- number of a cell, nil when absent
  local at = column:find(cell, 1, true)
  while at and (at - 1) % width ~= 0 do at = column:find(cell, at + 1, true) end
  return at and (at - 1) / width + 1
end

-- The session -------------------------------------------------------------------------------
local count, moments, ids, interests, interest_count = 0, '', '', '', 0
local purchased, returned = {hashes = '', times = ''}, {hashes = '', times = ''}
local seen, never = {hashes = '', times = ''}, {hashes = '', times = ''}

local function load_session(raw)                -- false when there is none
  if #raw < HEADER then return false end
  local version, owner, c, a, p, r, s, i, b = struct.unpack('<Bc8I4I2I2I2I2BI4', raw)
  local at = HEADER + 1
  if version ~= VERSION or owner ~= check then return false end
  if #raw < HEADER + 6 * a + 12 * (p + r + s) + b then return false end
  local function take(n) at = at + n; return raw:sub(at - n, at - 1) end
  local function take_marks(n) return {hashes = take(8 * n), times = take(4 * n)} end
  local m, bought, brought_back, shown = take(6 * a), take_marks(p), take_marks(r), take_marks(s)
  local text = take(b)
  local _, lines = text:gsub('\n', '\n')
  if lines ~= a or (b > 0 and text:sub(-1) ~= '\n') then return false end
  count, moments, ids, interests, interest_count = math.max(c, a), m, text, raw:sub(at), i
  purchased, returned, seen = bought, brought_back, shown
  return true
end

local function ms_of(i) return math.floor(struct.unpack('<I6', moments, i * 6 - 5) / 16) end

local function line_end(i)                      -- last byte of the i-th id
  local at = 0
  for _ = 1, i do at = ids:find('\n', at + 1, true) end
  return at
end

local function has_action(moment, item)
  if not ('\n' .. ids):find('\n' .. item .. '\n', 1, true) then return false end
  local i = 0
  for id in ids:gmatch('([^\n]*)\n') do
    i = i + 1
    if id == item and moments:sub(i * 6 - 5, i * 6) == moment then return true end
  end
  return false
end

local function insert_action(moment, ms, item)
  local i = #moments / 6
  local last = i
  while i > 0 and ms_of(i) > ms do i = i - 1 end
  local at = i == last and #ids or line_end(i)
  ids = ids:sub(1, at) .. item .. '\n' .. ids:sub(at + 1)
  moments = put(moments, 6, i, moment)
  while #moments / 6 > keep_actions do
    moments = moments:sub(7)
    ids = ids:sub(ids:find('\n', 1, true) + 1)
  end
end

-- Whether an action was counted. Once some have given way (more are counted than kept), one that is
-- no newer than the oldest kept may be among them; of newer ones none is missing in the list.
local function add_action(moment, ms, item, is_doubtful)
  local n = #moments / 6
  local oldest = n > 0 and count > n and ms_of(1) or -1
  if is_doubtful and (ms <= oldest or has_action(moment, item)) then return false end
  if ms >= oldest then insert_action(moment, ms, item) end
  count = count + 1
  return true
end

local function time_of(set, i) return struct.unpack('<I4', set.times, i * 4 - 3) end

local function unmark(set, i)
  set.hashes, set.times = cut(set.hashes, 8, i), cut(set.times, 4, i)
end

local function precedes(set, i, at, hash)       -- by time; within a second by hash
  local its = time_of(set, i)
  if its ~= at then return its < at end
  return struct.unpack('<I6', set.hashes, i * 8 - 7) < struct.unpack('<I6', hash)
end

local function older(one, other)                -- whichever set holds the oldest mark of both
  if one.times == '' or other.times == '' then return one.times == '' and other or one end
  return precedes(one, 1, time_of(other, 1), other.hashes) and one or other
end

-- Whether a mark is news. An item is in one of two rival sets, by its latest time; `keep` is for
-- both together, and the oldest give way. So marks end the same in any order, however often.
local function mark(set, rival, hash, at, keep, wins_ties)
  local mine, its = find(set.hashes, 8, hash), find(rival.hashes, 8, hash)
  if mine and time_of(set, mine) >= at then return false end
  if its and time_of(rival, its) >= at + (wins_ties and 1 or 0) then return false end
  local n = (#set.times + #rival.times) / 4
  if n >= keep and not (mine or its) and not precedes(older(set, rival), 1, at, hash) then
    return false
  end
  if mine then unmark(set, mine) end
  if its then unmark(rival, its) end
  local i = #set.times / 4
  while i > 0 and not precedes(set, i, at, hash) do i = i - 1 end
  set.hashes, set.times = put(set.hashes, 8, i, hash), put(set.times, 4, i, struct.pack('<I4', at))
  while (#set.times + #rival.times) / 4 > keep do unmark(older(set, rival), 1) end
  return true
end

local function mark_event(code, hash, at)       -- of two at the same second, the return counts
  if code == PURCHASE then return mark(purchased, returned, hash, at, keep_purchased, false) end
  if code == RETURN then return mark(returned, purchased, hash, at, keep_purchased, true) end
  if code ~= IMPRESSION and code ~= VIEW and code ~= CLICK then return false end
  return mark(seen, never, hash, at, keep_seen, false)
end

local function newest()                         -- time of the newest event, at least
  local n, shown = #moments / 6, #seen.times / 4
  return math.max(n > 0 and ms_of(n) or 0, shown > 0 and time_of(seen, shown) * 1000 + 999 or 0)
end

-- The ids of events: two generations, so that each lives for at least `dedupe` seconds ------------
local started, previous, current = now, '', ''
local forgotten, turned = 0, 0                  -- ids may be missing of events up to these times:
                                                -- now, and once the generation has turned

local function load_ids(raw)
  if #raw < EVENTS_HEADER or (#raw - EVENTS_HEADER) % 6 ~= 0 then return end
  local version, s, p, f, t = struct.unpack('<BI4I2I6I6', raw)
  if version ~= VERSION or #raw < EVENTS_HEADER + 6 * p then return end
  started, forgotten, turned = s, f, t
  previous = raw:sub(EVENTS_HEADER + 1, EVENTS_HEADER + 6 * p)
  current = raw:sub(EVENTS_HEADER + 6 * p + 1)
end

local function turn()
  previous, current, started = current, '', now
  forgotten, turned = turned, newest()
end

-- The work ------------------------------------------------------------------------------------
if load_session(load(KEYS[1])) then              -- ids of a lost session would keep it lost
  forgotten, turned = newest(), newest()
  load_ids(load(KEYS[2]))
end
if now - started >= dedupe then turn() end

local outcomes, pos, blob, is_changed = {}, 1, ARGV[3], false
while pos <= #blob do
  local event, moment, hash, length = struct.unpack('<c6c6c8I2', blob, pos)
  local item = blob:sub(pos + 22, pos + 21 + length)
  local number = struct.unpack('<I6', moment)
  local code, ms = number % 16, math.floor(number / 16)
  pos = pos + 22 + length
  local is_new = not (find(current, 6, event) or find(previous, 6, event))
  if is_new then
    local is_doubtful = ms <= forgotten         -- it may be a repetition whose id is forgotten
    local is_counted = code ~= IMPRESSION and add_action(moment, ms, item, is_doubtful)
    local is_news = mark_event(code, hash, math.floor(ms / 1000))
    is_new = is_counted or is_news or not is_doubtful
  end
  if is_new then
    if #current / 6 >= keep_ids / 2 then turn() end
    current, is_changed = current .. event, true
  end
  outcomes[#outcomes + 1] = is_new and '1' or '0'
end

if not is_changed then return table.concat(outcomes) end
local n = #moments / 6
local head = struct.pack('<Bc8I4I2I2I2I2BI4', VERSION, check, math.min(count, 4294967295), n,
  #purchased.times / 4, #returned.times / 4, #seen.times / 4, interest_count, #ids)
local marks = ''
for _, set in ipairs({purchased, returned, seen}) do marks = marks .. set.hashes .. set.times end
redis.call('SET', KEYS[1], head .. moments .. marks .. ids .. interests, 'EX', ttl)
local turns = struct.pack('<BI4I2I6I6', VERSION, started, #previous / 6, forgotten, turned)
redis.call('SET', KEYS[2], turns .. previous .. current, 'EX', dedupe)
return table.concat(outcomes)
"""
