-- Sends the bodies of a file (one a line) over and over, and says what came back as one line of JSON.
-- With "check" and a text as further arguments every answer must hold that text, which costs wrk so much time that it
-- serves for warming up, not for measuring.

local threads = {}

function setup(thread)
   table.insert(threads, thread)
   thread:set("place", #threads * 499)
end

function init(args)
   wrong, seen, requests = 0, 0, {}
   wrk.headers["Content-Type"] = "application/json"
   for body in io.lines(args[1]) do
      requests[#requests + 1] = wrk.format("POST", nil, nil, body)
   end
   if args[2] == "check" then
      response = function(status, headers, body)
         seen = seen + 1
         if status ~= 200 or not body:find(args[3], 1, true) then
            wrong = wrong + 1
         end
      end
   end
end

function request()
   place = place % #requests + 1
   return requests[place]
end

function done(summary, latency)
   local wrong_answers, seen_answers = 0, 0
   for _, thread in ipairs(threads) do
      wrong_answers = wrong_answers + thread:get("wrong")
      seen_answers = seen_answers + thread:get("seen")
   end
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests":%d,"duration_s":%.6f,"bytes":%d,"p50_ms":%.3f,"p99_ms":%.3f,"refused":%d,'
         .. '"socket_errors":%d,"checked":%d,"wrong":%d}\n',
      summary.requests, summary.duration / 1e6, summary.bytes,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout, seen_answers, wrong_answers))
end
