DROP TABLE chat_articles_fts;
DROP TABLE chat_articles;
DROP TABLE chat_messages;
DROP TABLE chat_sessions;
