ALTER TABLE chat_sessions DROP COLUMN rated_at;
ALTER TABLE chat_sessions DROP COLUMN feedback;
ALTER TABLE chat_sessions DROP COLUMN rating;
