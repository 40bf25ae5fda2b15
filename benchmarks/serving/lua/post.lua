-- wrk script: posts the lines of a file in rotation and writes what wrk counted as JSON.
-- Environment: BODIES (file, one JSON body a line), PATHQ (request path), STATS (file to write).
local requests, position = {}, 0

function init(args)
  local headers = {["Content-Type"] = "application/json"}
  for line in io.lines(os.getenv("BODIES")) do
    requests[#requests + 1] = wrk.format("POST", os.getenv("PATHQ"), headers, line)
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency, _)
  local errors = summary.errors
  local file = io.open(os.getenv("STATS"), "w")
  file:write(string.format(
    '{"requests":%d,"us":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,'
      .. '"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}\n',
    summary.requests, summary.duration, errors.connect, errors.read, errors.write, errors.status, errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
  file:close()
end
