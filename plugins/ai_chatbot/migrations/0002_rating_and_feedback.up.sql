ALTER TABLE chat_sessions ADD COLUMN rating INTEGER CHECK (rating BETWEEN 1 AND 5);
ALTER TABLE chat_sessions ADD COLUMN feedback TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_sessions ADD COLUMN rated_at REAL;
