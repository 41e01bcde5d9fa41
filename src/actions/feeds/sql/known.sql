-- known: what there is of a feed's episodes, to be held against its document.
-- Parameter: the feed.
SELECT key, content_hash, gone_at IS NOT NULL AS is_gone FROM episodes WHERE feed_id = $1
