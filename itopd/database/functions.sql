-- MySQL's text, number and date functions for PostgreSQL (spec/oql.md §7.4-§7.6): what OQL cannot write as an expression
-- that means the same. They stand beside itop_key, in the schema of the tables.
--
-- All are immutable and give NULL, never an error, for what they cannot take. Dates that are none are NULL; MySQL's zero
-- date, which is below all others, is '-infinity'.

-- Whether a text is like a pattern that is known only when the query runs. Each character becomes a delimiter and a
-- digest, of its weights (the x keeps those of blanks) or, for an ideograph and beyond the BMP, of itself: then LIKE
-- compares the digests.
CREATE OR REPLACE FUNCTION itop_like_characters(characters text[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT COALESCE(string_agg('|' || CASE
      WHEN ascii(one) BETWEEN 13312 AND 19893 OR ascii(one) BETWEEN 19968 AND 40869 OR ascii(one) > 65535 THEN md5(one)
      ELSE md5(itop_key(one || 'x'))
    END, '' ORDER BY place), '')
  FROM unnest(characters) WITH ORDINALITY AS each (one, place)
$$;

CREATE OR REPLACE FUNCTION itop_like(value text, pattern text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  digests text;
BEGIN
  -- What must be there is longer than the text: a huge pattern is not worth its digests.
  IF length(value) < length(replace(regexp_replace(pattern, '\\.', 'x', 'g'), '%', '')) THEN
    RETURN false;
  END IF;
  SELECT COALESCE(string_agg(CASE
      WHEN part[1] IS NOT NULL THEN '%'
      WHEN part[2] IS NOT NULL THEN '|' || repeat('_', 32)
      ELSE itop_like_characters(ARRAY[COALESCE(part[3], part[4])])
    END, '' ORDER BY place), '')
  INTO digests
  FROM regexp_matches(pattern, '(%)|(_)|\\(.)|(.)', 'g') WITH ORDINALITY AS each (part, place);
  RETURN itop_like_characters(string_to_array(value, NULL)) LIKE digests;
END
$$;

-- Whether a pattern that is known only when the query runs is found in a text, ignoring case; NULL when it is none.
CREATE OR REPLACE FUNCTION itop_regexp(value text, pattern text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  -- PostgreSQL writes word boundaries as \y and \Y.
  RETURN value ~* ('(?:' || regexp_replace(pattern, '((?:^|[^\\])(?:\\\\)*)\\([bB])',
    E'\\1\\\\y', 'g') || ')');
EXCEPTION
  WHEN invalid_regular_expression OR invalid_escape_sequence THEN
    RETURN NULL;
END
$$;

-- The number that a text begins with, else 0.
CREATE OR REPLACE FUNCTION itop_number(value text) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT COALESCE(
    regexp_replace(
      substring(left(ltrim(value, E' \t\n\r\f\v'), 300)
        FROM '^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?'),
      '([eE][-+]?)[0-9]{4,}', '\1999')::numeric,
    0)
$$;

-- The number that a whole text is, else NULL.
CREATE OR REPLACE FUNCTION itop_numeric(value text) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE
    WHEN value ~ '^\s*[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*$' THEN itop_number(value)
  END
$$;

-- A number as text. Only quotients have more than 15 decimals, of which MySQL shows 4.
CREATE OR REPLACE FUNCTION itop_text_of_number(value numeric) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN scale(value) > 15 THEN round(value, 4) ELSE value END::text
$$;

CREATE OR REPLACE FUNCTION itop_text_of_date(value date) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN isfinite(value) THEN to_char(value::timestamp, 'YYYY-MM-DD') ELSE '0000-00-00' END
$$;

CREATE OR REPLACE FUNCTION itop_text_of_instant(value timestamp) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE
    WHEN isfinite(value) THEN to_char(value, 'YYYY-MM-DD HH24:MI:SS')
    ELSE '0000-00-00 00:00:00'
  END
$$;

-- A date as the number that its digits make.
CREATE OR REPLACE FUNCTION itop_number_of_date(value date) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN isfinite(value) THEN to_char(value::timestamp, 'YYYYMMDD')::numeric ELSE 0 END
$$;

CREATE OR REPLACE FUNCTION itop_number_of_instant(value timestamp) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN isfinite(value) THEN to_char(value, 'YYYYMMDDHH24MISS')::numeric ELSE 0 END
$$;

-- The lowest 64 bits of a number rounded half away from zero.
CREATE OR REPLACE FUNCTION itop_bits_of(value numeric) RETURNS bit(64)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE
    WHEN word >= 9223372036854775808 THEN word - 18446744073709551616
    WHEN word < -9223372036854775808 THEN word + 18446744073709551616
    ELSE word
  END::bigint::bit(64)
  FROM (SELECT mod(round(value), 18446744073709551616)) AS rounded (word)
$$;

-- A bit operation on unsigned 64-bit numbers.
CREATE OR REPLACE FUNCTION itop_bits(operator text, a numeric, b numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN word < 0 THEN word + 18446744073709551616 ELSE word END
  FROM (SELECT CASE operator
    WHEN '&' THEN itop_bits_of(a) & itop_bits_of(b)
    WHEN '|' THEN itop_bits_of(a) | itop_bits_of(b)
    WHEN '^' THEN itop_bits_of(a) # itop_bits_of(b)
    WHEN '<<' THEN itop_bits_of(a) << CASE WHEN round(b) BETWEEN 0 AND 63 THEN round(b)::integer ELSE 64 END
    WHEN '>>' THEN itop_bits_of(a) >> CASE WHEN round(b) BETWEEN 0 AND 63 THEN round(b)::integer ELSE 64 END
  END::bigint::numeric) AS result (word)
$$;

CREATE OR REPLACE FUNCTION itop_round(value numeric, digits numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT round(value, LEAST(GREATEST(round(digits), -30), 30)::integer)
$$;

CREATE OR REPLACE FUNCTION itop_substr(value text, start numeric, length numeric DEFAULT 1e9) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE
    WHEN first < 1 OR round(start) = 0 OR round(length) < 1 THEN ''
    ELSE substr(value, LEAST(first, 1e9)::integer, LEAST(round(length), 1e9)::integer)
  END
  FROM (SELECT CASE WHEN round(start) > 0 THEN round(start) ELSE char_length(value) + round(start) + 1 END)
    AS place (first)
$$;

-- The number of an IPv4 address; short forms fill with zeros before the last part.
CREATE OR REPLACE FUNCTION itop_inet_aton(address text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  part integer[];
BEGIN
  IF address !~ '^[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}$' THEN
    RETURN NULL;
  END IF;
  part := string_to_array(address, '.')::integer[];
  IF 255 < ANY (part) THEN
    RETURN NULL;
  END IF;
  part := part[1:cardinality(part) - 1] || array_fill(0, ARRAY[4 - cardinality(part)]) || part[cardinality(part)];
  RETURN ((part[1] * 256::bigint + part[2]) * 256 + part[3]) * 256 + part[4];
END
$$;

CREATE OR REPLACE FUNCTION itop_inet_ntoa(value numeric) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE
    WHEN number BETWEEN 0 AND 4294967295
      THEN concat_ws('.', div(number, 16777216), mod(div(number, 65536), 256), mod(div(number, 256), 256), mod(number, 256))
  END
  FROM (SELECT round(value)) AS rounded (number)
$$;

-- The instant that a text means, and whether it has a time.
CREATE OR REPLACE FUNCTION itop_read_date(value text, OUT instant timestamp, OUT with_time boolean)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  part text[] := COALESCE(
    regexp_match(value, '^\s*([0-9]{4}|[0-9]{2})[^\w\s]([0-9]{1,2})[^\w\s]([0-9]{1,2})'
      '(?:[T\s]+([0-9]{1,2})(?:[^\w\s]([0-9]{1,2})(?:[^\w\s]([0-9]{1,2})(?:\.[0-9]*)?)?)?)?'),
    regexp_match(value, '^([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2}))?$'));
  years integer := part[1];
  months integer := part[2];
  days integer := part[3];
  hours integer := COALESCE(part[4], '0');
  minutes integer := COALESCE(part[5], '0');
  seconds integer := COALESCE(part[6], '0');
BEGIN
  IF length(part[1]) = 2 THEN
    years := years + CASE WHEN years < 70 THEN 2000 ELSE 1900 END;
  END IF;
  IF years < 1 OR months NOT BETWEEN 1 AND 12 OR hours > 23 OR minutes > 59 OR seconds > 59 OR days < 1 OR days >
    EXTRACT(day FROM make_date(years, months, 1) + interval '1 month' - interval '1 day')
  THEN
    RETURN;
  END IF;
  instant := make_timestamp(years, months, days, hours, minutes, seconds);
  with_time := part[4] IS NOT NULL;
END
$$;

CREATE OR REPLACE FUNCTION itop_instant(value text) RETURNS timestamp
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT instant FROM itop_read_date(value)
$$;

CREATE OR REPLACE FUNCTION itop_time(instant timestamp) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN isfinite(instant) THEN to_char(instant, 'HH24:MI:SS') END
$$;

CREATE OR REPLACE FUNCTION itop_year(instant timestamp) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN isfinite(instant) THEN EXTRACT(year FROM instant)::integer END
$$;

CREATE OR REPLACE FUNCTION itop_month(instant timestamp) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN isfinite(instant) THEN EXTRACT(month FROM instant)::integer END
$$;

CREATE OR REPLACE FUNCTION itop_day(instant timestamp) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN isfinite(instant) THEN EXTRACT(day FROM instant)::integer END
$$;

-- MySQL counts days from the year 0: 1970-01-01 is 719528.
CREATE OR REPLACE FUNCTION itop_to_days(instant timestamp) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN isfinite(instant) THEN instant::date - date '1970-01-01' + 719528 END
$$;

CREATE OR REPLACE FUNCTION itop_from_days(days numeric) RETURNS date
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE
    WHEN round(days) BETWEEN 366 AND 3652424 THEN date '1970-01-01' + (round(days)::integer - 719528)
    ELSE date '-infinity'
  END
$$;

-- An instant moved by a number of units; months and years clip to the last day of the month. NULL outside of the years
-- 1 to 9999.
CREATE OR REPLACE FUNCTION itop_add(instant timestamp, amount numeric, unit text) RETURNS timestamp
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  moved timestamp;
BEGIN
  amount := round(amount);
  IF NOT isfinite(instant) OR abs(amount) > (CASE unit
    WHEN 'YEAR' THEN 9999 WHEN 'MONTH' THEN 119988 WHEN 'DAY' THEN 3652059
    WHEN 'HOUR' THEN 87649416 WHEN 'MINUTE' THEN 5258964960 ELSE 315537897600 END)
  THEN
    RETURN NULL;
  END IF;
  moved := instant + CASE unit
    WHEN 'YEAR' THEN make_interval(years => amount::integer)
    WHEN 'MONTH' THEN make_interval(months => amount::integer)
    WHEN 'DAY' THEN make_interval(days => amount::integer)
    ELSE make_interval(secs => amount * CASE unit WHEN 'HOUR' THEN 3600 WHEN 'MINUTE' THEN 60 ELSE 1 END)
  END;
  RETURN CASE WHEN moved >= timestamp '0001-01-01' AND moved < timestamp '10000-01-01' THEN moved END;
END
$$;

-- A text that means a date, moved; it keeps its shape, but units of time make a date-time of a date.
CREATE OR REPLACE FUNCTION itop_add_to_text(value text, amount numeric, unit text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT to_char(itop_add(instant, amount, unit), CASE
    WHEN with_time OR unit IN ('SECOND', 'MINUTE', 'HOUR') THEN 'YYYY-MM-DD HH24:MI:SS'
    ELSE 'YYYY-MM-DD'
  END)
  FROM itop_read_date(value)
$$;

-- Year and week: U and u count from 0 within the year, V and v from 1 across years. u and v begin weeks on Monday and
-- week 1 has four days; U and V begin them on Sunday, and week 1 is the first whole one.
CREATE OR REPLACE FUNCTION itop_week(day date, code text, OUT year integer, OUT week integer)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  iso_year integer := EXTRACT(isoyear FROM day);
  iso_week integer := EXTRACT(week FROM day);
BEGIN
  year := EXTRACT(year FROM day);
  IF code = 'v' THEN
    year := iso_year;
    week := iso_week;
  ELSIF code = 'u' THEN
    week := CASE
      WHEN iso_year < year THEN 0
      WHEN iso_year > year THEN EXTRACT(week FROM day - 7)::integer + 1
      ELSE iso_week
    END;
  ELSE
    week := (EXTRACT(doy FROM day)::integer + 6 - EXTRACT(dow FROM day)::integer) / 7;
    IF code = 'V' AND week = 0 THEN
      SELECT earlier.year, earlier.week INTO year, week FROM itop_week(make_date(year - 1, 12, 31), code) AS earlier;
    END IF;
  END IF;
END
$$;

CREATE OR REPLACE FUNCTION itop_date_format(instant timestamp, layout text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  found text[];
  result text := '';
BEGIN
  IF NOT isfinite(instant) THEN
    RETURN NULL;
  END IF;
  FOR found IN SELECT regexp_matches(layout, '%(.)|([^%]+|%$)', 'g') LOOP
    result := result || CASE COALESCE(found[1], '')
      WHEN '' THEN found[2]
      WHEN 'Y' THEN to_char(instant, 'YYYY')
      WHEN 'y' THEN to_char(instant, 'YY')
      WHEN 'm' THEN to_char(instant, 'MM')
      WHEN 'c' THEN to_char(instant, 'FMMM')
      WHEN 'M' THEN to_char(instant, 'FMMonth')
      WHEN 'b' THEN to_char(instant, 'Mon')
      WHEN 'd' THEN to_char(instant, 'DD')
      WHEN 'e' THEN to_char(instant, 'FMDD')
      WHEN 'D' THEN to_char(instant, 'FMDDth')
      WHEN 'j' THEN to_char(instant, 'DDD')
      WHEN 'H' THEN to_char(instant, 'HH24')
      WHEN 'k' THEN to_char(instant, 'FMHH24')
      WHEN 'h' THEN to_char(instant, 'HH12')
      WHEN 'I' THEN to_char(instant, 'HH12')
      WHEN 'l' THEN to_char(instant, 'FMHH12')
      WHEN 'i' THEN to_char(instant, 'MI')
      WHEN 'S' THEN to_char(instant, 'SS')
      WHEN 's' THEN to_char(instant, 'SS')
      WHEN 'p' THEN to_char(instant, 'AM')
      WHEN 'r' THEN to_char(instant, 'HH12:MI:SS AM')
      WHEN 'T' THEN to_char(instant, 'HH24:MI:SS')
      WHEN 'f' THEN '000000'
      WHEN 'W' THEN to_char(instant, 'FMDay')
      WHEN 'a' THEN to_char(instant, 'Dy')
      WHEN 'w' THEN EXTRACT(dow FROM instant)::text
      WHEN 'U' THEN (SELECT to_char(week, 'FM00') FROM itop_week(instant::date, 'U'))
      WHEN 'u' THEN (SELECT to_char(week, 'FM00') FROM itop_week(instant::date, 'u'))
      WHEN 'V' THEN (SELECT to_char(week, 'FM00') FROM itop_week(instant::date, 'V'))
      WHEN 'v' THEN (SELECT to_char(week, 'FM00') FROM itop_week(instant::date, 'v'))
      WHEN 'X' THEN (SELECT to_char(year, 'FM0000') FROM itop_week(instant::date, 'V'))
      WHEN 'x' THEN (SELECT to_char(year, 'FM0000') FROM itop_week(instant::date, 'v'))
      ELSE found[1]
    END;
  END LOOP;
  RETURN result;
END
$$;
