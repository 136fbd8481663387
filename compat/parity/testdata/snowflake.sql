SELECT MIN(a0), MAX(a1), MIN(e0), MAX(e1), MAX(p1), MAX(o1) FROM (SELECT MIN(account_id) AS a0, MAX(account_id) AS a1, MIN(event_id) AS e0, MAX(event_id) AS e1, MAX("PARTITION") AS p1, MAX("OFFSET") AS o1 FROM trade_events UNION ALL SELECT MIN(account_id) AS a0, MAX(account_id) AS a1, MIN(event_id) AS e0, MAX(event_id) AS e1, MAX("PARTITION") AS p1, MAX("OFFSET") AS o1 FROM cash_events) AS b;

CREATE OR REPLACE TEMPORARY TABLE parity_accounts AS SELECT acct, SUM(n) AS n, SUM(ln) AS ln, SUM(rn) AS rn, SUM(bad) + ABS(SUM(ln) - SUM(n)) + ABS(SUM(rn) - SUM(n)) AS bad FROM (
SELECT acct, COUNT(*) AS n, 0 AS ln, 0 AS rn, COUNT_IF(lid = lid0 OR rid <= rid0 OR CASE WHEN lplace < lplace0 THEN FLOOR(lplace / 67108864) = FLOOR(lplace0 / 67108864) ELSE FALSE END OR CASE WHEN rplace < rplace0 THEN FLOOR(rplace / 67108864) = FLOOR(rplace0 / 67108864) ELSE FALSE END) AS bad FROM (
	SELECT acct, lid, rid, lplace, rplace, LAG(lid) OVER (PARTITION BY acct ORDER BY lid) AS lid0, LAG(rid) OVER (PARTITION BY acct ORDER BY lid) AS rid0, LAG(lplace) OVER (PARTITION BY acct ORDER BY lid) AS lplace0, LAG(rplace) OVER (PARTITION BY acct ORDER BY lid) AS rplace0
	FROM (
		SELECT CAST(account_id AS NUMBER(10,0)) AS acct, event_id AS lid, (CASE topic WHEN 'bank.trades' THEN 0 WHEN 'legacy.bank.trades' THEN 32 END + CAST("PARTITION" AS NUMBER(19,0))) * 67108864 + "OFFSET" AS lplace, HASH(content_hash, account_id, booked_at, canceled_at) AS lkey FROM trade_events WHERE "SIDE" = 'bank'
	) AS l JOIN (
		SELECT event_id AS rid, CAST(CAST("PARTITION" AS NUMBER(19,0)) * 67108864 + "OFFSET" AS NUMBER(10,0)) AS rplace, HASH(content_hash, account_id, booked_at, canceled_at) AS rkey FROM trade_events WHERE "SIDE" = 'bk'
	) AS r ON l.lkey = r.rkey
) AS o GROUP BY acct
UNION ALL
SELECT acct, COUNT(*) AS n, 0 AS ln, 0 AS rn, COUNT_IF(lid = lid0 OR rid <= rid0 OR CASE WHEN lplace < lplace0 THEN FLOOR(lplace / 67108864) = FLOOR(lplace0 / 67108864) ELSE FALSE END OR CASE WHEN rplace < rplace0 THEN FLOOR(rplace / 67108864) = FLOOR(rplace0 / 67108864) ELSE FALSE END) AS bad FROM (
	SELECT acct, lid, rid, lplace, rplace, LAG(lid) OVER (PARTITION BY acct ORDER BY lid) AS lid0, LAG(rid) OVER (PARTITION BY acct ORDER BY lid) AS rid0, LAG(lplace) OVER (PARTITION BY acct ORDER BY lid) AS lplace0, LAG(rplace) OVER (PARTITION BY acct ORDER BY lid) AS rplace0
	FROM (
		SELECT CAST(account_id AS NUMBER(10,0)) AS acct, event_id AS lid, CAST(CAST("PARTITION" AS NUMBER(19,0)) * 67108864 + "OFFSET" AS NUMBER(10,0)) AS lplace, HASH(content_hash, account_id) AS lkey FROM cash_events WHERE "SIDE" = 'bank'
	) AS l JOIN (
		SELECT event_id AS rid, CAST(CAST("PARTITION" AS NUMBER(19,0)) * 67108864 + "OFFSET" AS NUMBER(10,0)) AS rplace, HASH(content_hash, account_id) AS rkey FROM cash_events WHERE "SIDE" = 'bk'
	) AS r ON l.lkey = r.rkey
) AS o GROUP BY acct
UNION ALL
SELECT acct, 0 AS n, 0 AS ln, 0 AS rn, COUNT(*) AS bad FROM (
	SELECT acct, should, LAG(after, 1, HASH(CAST(0 AS NUMBER(38,10)), CAST(0 AS NUMBER(38,10)))) OVER (PARTITION BY chain ORDER BY lid) AS was
	FROM (
		SELECT acct, chain, lid, HASH(total, settled) AS after, CASE
			WHEN event = 'opened' THEN HASH(total - adds, settled)
			WHEN event = 'settled' THEN HASH(total, settled - adds)
			WHEN event = 'canceled' AND (bdate = 0 OR trade_date <= bdate) THEN HASH(total + adds, settled)
			ELSE HASH(total, settled) END AS should
		FROM (
			SELECT CAST(account_id AS NUMBER(10,0)) AS acct, business_date AS bdate, HASH(account_id, settlement_currency) AS chain, event_id AS lid, event, trade_date, balance AS total, settled_balance AS settled, CASE WHEN account_id = trade_account_id THEN net_amount WHEN side_direction = 'buy' THEN gross_amount + COALESCE(interest_accrued, 0)
		ELSE -(gross_amount + COALESCE(interest_accrued, 0)) END AS adds
			FROM trade_events WHERE "SIDE" = 'bank'
		) AS t
		UNION ALL
		SELECT CAST(account_id AS NUMBER(10,0)), HASH(account_id, currency), event_id, HASH(balance, settled_balance), HASH(balance - amount, settled_balance - amount)
		FROM cash_events WHERE "SIDE" = 'bank'
	) AS e
) AS c WHERE should <> was GROUP BY acct
UNION ALL
SELECT acct, 0 AS n, 0 AS ln, 0 AS rn, COUNT(*) AS bad FROM (
	SELECT acct, should, LAG(after, 1, HASH(CAST(0 AS NUMBER(38,10)), CAST(0 AS NUMBER(38,10)))) OVER (PARTITION BY chain ORDER BY lid) AS was
	FROM (
		SELECT acct, chain, lid, HASH(total, settled) AS after, CASE
			WHEN event = 'opened' THEN HASH(total - adds, settled)
			WHEN event = 'settled' THEN HASH(total, settled - adds)
			WHEN event = 'canceled' AND (bdate = 0 OR trade_date <= bdate) THEN HASH(total + adds, settled)
			ELSE HASH(total, settled) END AS should
		FROM (
			SELECT CAST(account_id AS NUMBER(10,0)) AS acct, business_date AS bdate, HASH(account_id, instrument_identifier) AS chain, event_id AS lid, event, trade_date, "POSITION" AS total, settled_position AS settled, CASE WHEN (side_direction = 'buy') = (account_id = trade_account_id) THEN quantity ELSE -quantity END AS adds
			FROM trade_events WHERE "SIDE" = 'bank'
		) AS t
	) AS e
) AS c WHERE should <> was GROUP BY acct
UNION ALL
SELECT account_id AS acct, 0 AS n, 0 AS ln, 0 AS rn, COUNT(*) AS bad FROM trade_events WHERE NOT canonical GROUP BY account_id
UNION ALL
SELECT account_id AS acct, 0 AS n, 0 AS ln, 0 AS rn, COUNT(*) AS bad FROM cash_events WHERE NOT canonical GROUP BY account_id
UNION ALL
SELECT account_id AS acct, 0 AS n, COUNT_IF("SIDE" = 'bank') AS ln, COUNT_IF("SIDE" = 'bk') AS rn, 0 AS bad FROM trade_events GROUP BY account_id
UNION ALL
SELECT account_id AS acct, 0 AS n, COUNT_IF("SIDE" = 'bank') AS ln, COUNT_IF("SIDE" = 'bk') AS rn, 0 AS bad FROM cash_events GROUP BY account_id
) AS a GROUP BY acct;

SELECT COUNT(*) AS n FROM (
	SELECT HASH(content_hash, account_id, booked_at, canceled_at) AS lkey FROM trade_events WHERE "SIDE" = 'bank' AND account_id IN (SELECT acct FROM parity_accounts WHERE n <> ln OR n <> rn)
) AS l FULL OUTER JOIN (
	SELECT HASH(content_hash, account_id, booked_at, canceled_at) AS rkey FROM trade_events WHERE "SIDE" = 'bk' AND account_id IN (SELECT acct FROM parity_accounts WHERE n <> ln OR n <> rn)
) AS r ON lkey = rkey WHERE lkey IS NULL OR rkey IS NULL;

CREATE OR REPLACE TEMPORARY TABLE parity_suspects AS 
SELECT acct, events AS n, bad, SUM(events) OVER (ORDER BY acct ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - events < 20000000 AS examined
FROM (SELECT acct, GREATEST(ln, rn) AS events, bad FROM parity_accounts WHERE bad > 0) AS a;

SELECT "SIDE" AS sd, business_date, event, settlement_currency AS curr, COUNT(*) AS n, RTRIM(RTRIM(TO_VARCHAR(CAST(SUM(net_amount) AS NUMBER(38,10)), 'FM9999999999999999999999999990.0000000000'), '0'), '.') AS total FROM trade_events GROUP BY "SIDE", business_date, event, settlement_currency
UNION ALL SELECT "SIDE", business_date, event, currency, COUNT(*), RTRIM(RTRIM(TO_VARCHAR(CAST(SUM(amount) AS NUMBER(38,10)), 'FM9999999999999999999999999990.0000000000'), '0'), '.') FROM cash_events GROUP BY "SIDE", business_date, event, currency;

CREATE OR REPLACE TEMPORARY TABLE parity_differs AS 
SELECT l.topic AS ltopic, l."PARTITION" AS lpartition, l."OFFSET" AS loffset, l.event_id AS levent_id, r.topic AS rtopic, r."PARTITION" AS rpartition, r."OFFSET" AS roffset,
	CASE WHEN l.event IS DISTINCT FROM r.event THEN 1 ELSE 0 END
	+ CASE WHEN l.business_date IS DISTINCT FROM r.business_date THEN 2 ELSE 0 END
	+ CASE WHEN l.account_id IS DISTINCT FROM r.account_id THEN 4 ELSE 0 END
	+ CASE WHEN l.trade_id IS DISTINCT FROM r.trade_id THEN 8 ELSE 0 END
	+ CASE WHEN l.trade_type IS DISTINCT FROM r.trade_type THEN 16 ELSE 0 END
	+ CASE WHEN l.trade_timestamp IS DISTINCT FROM r.trade_timestamp THEN 32 ELSE 0 END
	+ CASE WHEN l.client_trade_id IS DISTINCT FROM r.client_trade_id THEN 64 ELSE 0 END
	+ CASE WHEN l.trade_date IS DISTINCT FROM r.trade_date THEN 128 ELSE 0 END
	+ CASE WHEN l.trade_account_id IS DISTINCT FROM r.trade_account_id THEN 256 ELSE 0 END
	+ CASE WHEN l.quantity IS DISTINCT FROM r.quantity THEN 512 ELSE 0 END
	+ CASE WHEN l.price IS DISTINCT FROM r.price THEN 1024 ELSE 0 END
	+ CASE WHEN l.instrument_identifier IS DISTINCT FROM r.instrument_identifier THEN 2048 ELSE 0 END
	+ CASE WHEN l.instrument_identifier_type IS DISTINCT FROM r.instrument_identifier_type THEN 4096 ELSE 0 END
	+ CASE WHEN l.instrument_country IS DISTINCT FROM r.instrument_country THEN 8192 ELSE 0 END
	+ CASE WHEN l.instrument_currency IS DISTINCT FROM r.instrument_currency THEN 16384 ELSE 0 END
	+ CASE WHEN l.side_direction IS DISTINCT FROM r.side_direction THEN 32768 ELSE 0 END
	+ CASE WHEN l.side_qualifier IS DISTINCT FROM r.side_qualifier THEN 65536 ELSE 0 END
	+ CASE WHEN l.side_position IS DISTINCT FROM r.side_position THEN 131072 ELSE 0 END
	+ CASE WHEN l.capacity IS DISTINCT FROM r.capacity THEN 262144 ELSE 0 END
	+ CASE WHEN l.mic IS DISTINCT FROM r.mic THEN 524288 ELSE 0 END
	+ CASE WHEN l.exec_mpid IS DISTINCT FROM r.exec_mpid THEN 1048576 ELSE 0 END
	+ CASE WHEN l.contra_mpid IS DISTINCT FROM r.contra_mpid THEN 2097152 ELSE 0 END
	+ CASE WHEN l.contra_clearing_num IS DISTINCT FROM r.contra_clearing_num THEN 4194304 ELSE 0 END
	+ CASE WHEN l.target_account_id IS DISTINCT FROM r.target_account_id THEN 8388608 ELSE 0 END
	+ CASE WHEN l.settlement_currency IS DISTINCT FROM r.settlement_currency THEN 16777216 ELSE 0 END
	+ CASE WHEN l.settlement_date IS DISTINCT FROM r.settlement_date THEN 33554432 ELSE 0 END
	+ CASE WHEN l.fees_commission IS DISTINCT FROM r.fees_commission THEN 67108864 ELSE 0 END
	+ CASE WHEN l.fees_omit_sec IS DISTINCT FROM r.fees_omit_sec THEN 134217728 ELSE 0 END
	+ CASE WHEN l.fees_omit_taf IS DISTINCT FROM r.fees_omit_taf THEN 268435456 ELSE 0 END
	+ CASE WHEN l.fees_omit_bill IS DISTINCT FROM r.fees_omit_bill THEN 536870912 ELSE 0 END
	+ CASE WHEN l.interest_yield IS DISTINCT FROM r.interest_yield THEN 1073741824 ELSE 0 END
	+ CASE WHEN l.interest_accrued IS DISTINCT FROM r.interest_accrued THEN 2147483648 ELSE 0 END
	+ CASE WHEN l.interest_accrued_days IS DISTINCT FROM r.interest_accrued_days THEN 4294967296 ELSE 0 END
	+ CASE WHEN l.is_when_issued IS DISTINCT FROM r.is_when_issued THEN 8589934592 ELSE 0 END
	+ CASE WHEN l.order_id IS DISTINCT FROM r.order_id THEN 17179869184 ELSE 0 END
	+ CASE WHEN l.cancel_trade_id IS DISTINCT FROM r.cancel_trade_id THEN 34359738368 ELSE 0 END
	+ CASE WHEN l.contra_side_qualifier IS DISTINCT FROM r.contra_side_qualifier THEN 68719476736 ELSE 0 END
	+ CASE WHEN l.nscc_clearing IS DISTINCT FROM r.nscc_clearing THEN 137438953472 ELSE 0 END
	+ CASE WHEN l.last_market IS DISTINCT FROM r.last_market THEN 274877906944 ELSE 0 END
	+ CASE WHEN l."LOCATE" IS DISTINCT FROM r."LOCATE" THEN 549755813888 ELSE 0 END
	+ CASE WHEN l.behalf_of_account_id IS DISTINCT FROM r.behalf_of_account_id THEN 1099511627776 ELSE 0 END
	+ CASE WHEN l.solicited IS DISTINCT FROM r.solicited THEN 2199023255552 ELSE 0 END
	+ CASE WHEN l.registered_rep IS DISTINCT FROM r.registered_rep THEN 4398046511104 ELSE 0 END
	+ CASE WHEN l.branch_office IS DISTINCT FROM r.branch_office THEN 8796093022208 ELSE 0 END
	+ CASE WHEN l.user_data IS DISTINCT FROM r.user_data THEN 17592186044416 ELSE 0 END
	+ CASE WHEN l.state IS DISTINCT FROM r.state THEN 35184372088832 ELSE 0 END
	+ CASE WHEN l.settle_date IS DISTINCT FROM r.settle_date THEN 70368744177664 ELSE 0 END
	+ CASE WHEN l.gross_amount IS DISTINCT FROM r.gross_amount THEN 140737488355328 ELSE 0 END
	+ CASE WHEN l.sec_fee IS DISTINCT FROM r.sec_fee THEN 281474976710656 ELSE 0 END
	+ CASE WHEN l.taf_fee IS DISTINCT FROM r.taf_fee THEN 562949953421312 ELSE 0 END
	+ CASE WHEN l.net_amount IS DISTINCT FROM r.net_amount THEN 1125899906842624 ELSE 0 END
	+ CASE WHEN l.replaced_by IS DISTINCT FROM r.replaced_by THEN 2251799813685248 ELSE 0 END
	+ CASE WHEN l.replaces IS DISTINCT FROM r.replaces THEN 4503599627370496 ELSE 0 END
	+ CASE WHEN l."POSITION" IS DISTINCT FROM r."POSITION" THEN 9007199254740992 ELSE 0 END
	+ CASE WHEN l.balance IS DISTINCT FROM r.balance THEN 18014398509481984 ELSE 0 END
	+ CASE WHEN l.settled_position IS DISTINCT FROM r.settled_position THEN 36028797018963968 ELSE 0 END
	+ CASE WHEN l.settled_balance IS DISTINCT FROM r.settled_balance THEN 72057594037927936 ELSE 0 END AS fields
FROM (SELECT * FROM trade_events WHERE "SIDE" = 'bank' AND account_id IN (SELECT acct FROM parity_suspects WHERE examined)) AS l JOIN (SELECT * FROM trade_events WHERE "SIDE" = 'bk' AND account_id IN (SELECT acct FROM parity_suspects WHERE examined)) AS r
	ON l.account_id = r.account_id AND l.trade_id = r.trade_id AND l.event = r.event
WHERE l.content_hash <> r.content_hash UNION ALL 
SELECT l.topic AS ltopic, l."PARTITION" AS lpartition, l."OFFSET" AS loffset, l.event_id AS levent_id, r.topic AS rtopic, r."PARTITION" AS rpartition, r."OFFSET" AS roffset,
	CASE WHEN l.event IS DISTINCT FROM r.event THEN 1 ELSE 0 END
	+ CASE WHEN l.business_date IS DISTINCT FROM r.business_date THEN 2 ELSE 0 END
	+ CASE WHEN l.account_id IS DISTINCT FROM r.account_id THEN 4 ELSE 0 END
	+ CASE WHEN l.cash_id IS DISTINCT FROM r.cash_id THEN 8 ELSE 0 END
	+ CASE WHEN l.client_id IS DISTINCT FROM r.client_id THEN 16 ELSE 0 END
	+ CASE WHEN l.currency IS DISTINCT FROM r.currency THEN 32 ELSE 0 END
	+ CASE WHEN l.amount IS DISTINCT FROM r.amount THEN 64 ELSE 0 END
	+ CASE WHEN l.balance IS DISTINCT FROM r.balance THEN 128 ELSE 0 END
	+ CASE WHEN l.settled_balance IS DISTINCT FROM r.settled_balance THEN 256 ELSE 0 END AS fields
FROM (SELECT * FROM cash_events WHERE "SIDE" = 'bank' AND account_id IN (SELECT acct FROM parity_suspects WHERE examined)) AS l JOIN (SELECT * FROM cash_events WHERE "SIDE" = 'bk' AND account_id IN (SELECT acct FROM parity_suspects WHERE examined)) AS r
	ON l.account_id = r.account_id AND l.cash_id = r.cash_id AND l.event = r.event
WHERE l.content_hash <> r.content_hash;

SELECT e."SIDE" AS sd, e.topic, e."PARTITION" AS part, e."OFFSET" AS offs, e.landed_at, e.event_id, e.event, e.business_date, e.account_id, e.content_hash, e.canonical, FALSE AS cash, trade_id AS num, client_trade_id AS client, instrument_identifier AS symbol, settlement_currency AS curr,
	RTRIM(RTRIM(TO_VARCHAR(CASE WHEN (side_direction = 'buy') = (account_id = trade_account_id) THEN quantity ELSE -quantity END, 'FM9999999999999999999999999990.0000000000'), '0'), '.') AS n, RTRIM(RTRIM(TO_VARCHAR(CASE WHEN account_id = trade_account_id THEN net_amount WHEN side_direction = 'buy' THEN gross_amount + COALESCE(interest_accrued, 0)
		ELSE -(gross_amount + COALESCE(interest_accrued, 0)) END, 'FM9999999999999999999999999990.0000000000'), '0'), '.') AS m, RTRIM(RTRIM(TO_VARCHAR(price, 'FM9999999999999999999999999990.0000000000'), '0'), '.') AS price,
	RTRIM(RTRIM(TO_VARCHAR("POSITION", 'FM9999999999999999999999999990.0000000000'), '0'), '.') AS t0, RTRIM(RTRIM(TO_VARCHAR(balance, 'FM9999999999999999999999999990.0000000000'), '0'), '.') AS t1, RTRIM(RTRIM(TO_VARCHAR(settled_position, 'FM9999999999999999999999999990.0000000000'), '0'), '.') AS t2, RTRIM(RTRIM(TO_VARCHAR(settled_balance, 'FM9999999999999999999999999990.0000000000'), '0'), '.') AS t3, booked_at, canceled_at, d.ltopic, d.lpartition, d.loffset, d.levent_id, d.fields
FROM trade_events AS e LEFT JOIN parity_differs AS d ON e."SIDE" = 'bk' AND d.rtopic = e.topic AND d.rpartition = e."PARTITION" AND d.roffset = e."OFFSET" WHERE account_id IN (SELECT acct FROM parity_suspects WHERE examined)
UNION ALL
SELECT e."SIDE" AS sd, e.topic, e."PARTITION" AS part, e."OFFSET" AS offs, e.landed_at, e.event_id, e.event, e.business_date, e.account_id, e.content_hash, e.canonical, TRUE, cash_id, client_id, '', currency, '0', RTRIM(RTRIM(TO_VARCHAR(amount, 'FM9999999999999999999999999990.0000000000'), '0'), '.'), '0', '0', RTRIM(RTRIM(TO_VARCHAR(balance, 'FM9999999999999999999999999990.0000000000'), '0'), '.'), '0', RTRIM(RTRIM(TO_VARCHAR(settled_balance, 'FM9999999999999999999999999990.0000000000'), '0'), '.'), 0, NULL, d.ltopic, d.lpartition, d.loffset, d.levent_id, d.fields
FROM cash_events AS e LEFT JOIN parity_differs AS d ON e."SIDE" = 'bk' AND d.rtopic = e.topic AND d.rpartition = e."PARTITION" AND d.roffset = e."OFFSET" WHERE account_id IN (SELECT acct FROM parity_suspects WHERE examined)
ORDER BY account_id, sd, event_id, topic, part, offs;

SELECT v.idx, CASE v.col WHEN 'price' THEN RTRIM(RTRIM(TO_VARCHAR(l.price, 'FM9999999999999999999999999990.0000000000'), '0'), '.') WHEN 'state' THEN CAST(l.state AS VARCHAR) END, CASE v.col WHEN 'price' THEN RTRIM(RTRIM(TO_VARCHAR(r.price, 'FM9999999999999999999999999990.0000000000'), '0'), '.') WHEN 'state' THEN CAST(r.state AS VARCHAR) END FROM (VALUES (0, 'price', 'bank.trades', 3, 12, 'facade.bank.trades', 3, 15)) AS v (idx, col, ltopic, lpart, loff, rtopic, rpart, roff)
JOIN trade_events AS l ON l."SIDE" = 'bank' AND l.topic = v.ltopic AND l."PARTITION" = v.lpart AND l."OFFSET" = v.loff
JOIN trade_events AS r ON r."SIDE" = 'bk' AND r.topic = v.rtopic AND r."PARTITION" = v.rpart AND r."OFFSET" = v.roff;

