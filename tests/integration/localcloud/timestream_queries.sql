-- percentiles
SELECT ROUND(AVG(measure_value::double), 2) AS mean, ROUND(APPROX_PERCENTILE(measure_value::double, 0.9), 2) AS p90
FROM "devops".hosts
WHERE measure_name = 'cpu_utilization' AND hostname = 'host-1' AND time > ago(2h)
GROUP BY region, az, hostname, BIN(time, 15s)
ORDER BY BIN(time, 15s) ASC
-- hosts a tenth above the fleet
WITH fleet AS (
    SELECT COUNT(DISTINCT hostname) AS hosts, AVG(measure_value::double) AS mean FROM devops.hosts
    WHERE measure_name = 'cpu_utilization' AND time > ago(2h)
), own AS (
    SELECT region, hostname, AVG(measure_value::double) AS mean FROM devops.hosts
    WHERE measure_name = 'cpu_utilization' AND time > ago(2h)
    GROUP BY region, hostname
)
SELECT hostname, own.mean FROM fleet, own
WHERE own.mean > 1.1 * fleet.mean AND own.mean > 45 ORDER BY own.mean DESC
-- thirty seconds
SELECT ROUND(AVG(measure_value::double), 2) FROM devops.hosts
WHERE measure_name = 'cpu_utilization' AND hostname = 'host-1' AND time > ago(2h)
GROUP BY hostname, BIN(time, 30s) ORDER BY BIN(time, 30s)
-- linear
WITH binned AS (
    SELECT hostname, BIN(time, 30s) AS moment, ROUND(AVG(measure_value::double), 2) AS cpu FROM devops.hosts
    WHERE hostname = 'host-1' AND time > ago(2h) GROUP BY hostname, BIN(time, 30s)
), filled AS (
    SELECT hostname, INTERPOLATE_LINEAR(CREATE_TIME_SERIES(moment, cpu), SEQUENCE(min(moment), max(moment), 30s)) AS points
    FROM binned GROUP BY hostname
)
SELECT ROUND(value, 2) FROM filled CROSS JOIN UNNEST(points) ORDER BY time
-- last observation
WITH binned AS (
    SELECT hostname, BIN(time, 30s) AS moment, ROUND(AVG(measure_value::double), 2) AS cpu FROM devops.hosts
    WHERE hostname = 'host-1' AND time > ago(2h) GROUP BY hostname, BIN(time, 30s)
), filled AS (
    SELECT hostname, INTERPOLATE_LOCF(CREATE_TIME_SERIES(moment, cpu), SEQUENCE(min(moment), max(moment), 30s)) AS points
    FROM binned GROUP BY hostname
)
SELECT ROUND(value, 2) FROM filled CROSS JOIN UNNEST(points) ORDER BY time
-- constant
WITH binned AS (
    SELECT hostname, BIN(time, 30s) AS moment, ROUND(AVG(measure_value::double), 2) AS cpu FROM devops.hosts
    WHERE hostname = 'host-1' AND time > ago(2h) GROUP BY hostname, BIN(time, 30s)
), filled AS (
    SELECT hostname, INTERPOLATE_FILL(CREATE_TIME_SERIES(moment, cpu), SEQUENCE(min(moment), max(moment), 30s), 7.0) AS points
    FROM binned GROUP BY hostname
)
SELECT ROUND(value, 2) FROM filled CROSS JOIN UNNEST(points) ORDER BY time
-- spline
WITH binned AS (
    SELECT hostname, BIN(time, 30s) AS moment, ROUND(AVG(measure_value::double), 2) AS cpu FROM devops.hosts
    WHERE hostname = 'host-1' AND time > ago(2h) GROUP BY hostname, BIN(time, 30s)
), filled AS (
    SELECT hostname,
        INTERPOLATE_SPLINE_CUBIC(CREATE_TIME_SERIES(moment, cpu), SEQUENCE(min(moment), max(moment), 30s)) AS points
    FROM binned GROUP BY hostname
)
SELECT ROUND(value, 2) FROM filled CROSS JOIN UNNEST(points) ORDER BY time
-- all hosts
WITH span AS (
    SELECT hostname, min(time) AS first, max(time) AS last FROM devops.hosts
    WHERE measure_name = 'cpu_utilization' AND time > ago(2h) AND hostname < 'host-4' GROUP BY hostname
), filled AS (
    SELECT m.hostname, INTERPOLATE_LOCF(CREATE_TIME_SERIES(time, measure_value::double),
        SEQUENCE(MIN(s.first), MAX(s.last), 30s)) AS points
    FROM devops.hosts m INNER JOIN span s ON m.hostname = s.hostname
    WHERE measure_name = 'cpu_utilization' AND time > ago(2h) GROUP BY m.hostname
)
SELECT hostname, ROUND(AVG(cpu), 2) AS mean FROM filled CROSS JOIN UNNEST(points) AS t (time, cpu)
GROUP BY hostname ORDER BY mean DESC
-- share above
WITH series AS (
    SELECT INTERPOLATE_LINEAR(CREATE_TIME_SERIES(time, ROUND(measure_value::double, 2)),
        SEQUENCE(min(time), max(time), 30s)) AS cpu
    FROM devops.hosts WHERE hostname = 'host-1' AND time > ago(2h) GROUP BY hostname
)
SELECT ROUND(REDUCE(cpu, CAST(ROW(0, 0) AS ROW(high BIGINT, total BIGINT)),
    (s, x) -> CAST(ROW(s.high + IF(x.value > 70.0, 1, 0), s.total + 1) AS ROW(high BIGINT, total BIGINT)),
    s -> IF(s.total = 0, NULL, CAST(s.high AS DOUBLE) / s.total)), 4)
FROM series
-- below
WITH series AS (
    SELECT min(time) AS oldest, INTERPOLATE_LINEAR(CREATE_TIME_SERIES(time, ROUND(measure_value::double, 2)),
        SEQUENCE(min(time), max(time), 30s)) AS cpu
    FROM devops.hosts WHERE hostname = 'host-1' AND time > ago(2h) GROUP BY hostname
)
SELECT CARDINALITY(FILTER(cpu, x -> x.value < 75 AND x.time > oldest - 1m)) FROM series
-- count by reduce
WITH series AS (
    SELECT INTERPOLATE_LINEAR(CREATE_TIME_SERIES(time, ROUND(measure_value::double, 2)),
        SEQUENCE(min(time), max(time), 30s)) AS cpu
    FROM devops.hosts WHERE hostname = 'host-1' AND time > ago(2h) GROUP BY hostname
)
SELECT REDUCE(cpu, DOUBLE '0.0', (s, x) -> s + 1, s -> s) FROM series
-- mean by reduce
WITH series AS (
    SELECT INTERPOLATE_LINEAR(CREATE_TIME_SERIES(time, ROUND(measure_value::double, 2)),
        SEQUENCE(min(time), max(time), 30s)) AS cpu
    FROM devops.hosts WHERE hostname = 'host-1' AND time > ago(2h) GROUP BY hostname
)
SELECT ROUND(REDUCE(cpu, CAST(ROW(0.0, 0) AS ROW(sum DOUBLE, count INTEGER)),
    (s, x) -> CAST(ROW(x.value + s.sum, s.count + 1) AS ROW(sum DOUBLE, count INTEGER)),
    s -> IF(s.count = 0, NULL, s.sum / s.count)), 4)
FROM series
