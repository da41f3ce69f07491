CREATE TABLE chat_sessions (
    id TEXT PRIMARY KEY,
    token_hash TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    phone TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'bot' CHECK (status IN ('bot', 'waiting', 'human', 'closed')),
    assigned_to TEXT NOT NULL DEFAULT '',
    customer_id INTEGER,
    guest_read INTEGER NOT NULL DEFAULT 0,
    staff_read INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    closed_at REAL
);
CREATE INDEX chat_sessions_status ON chat_sessions (status, updated_at);
CREATE INDEX chat_sessions_email ON chat_sessions (email);

-- AUTOINCREMENT: browsers go on after the last id that they saw, so that no id may ever come twice.
CREATE TABLE chat_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES chat_sessions (id) ON DELETE CASCADE,
    sender TEXT NOT NULL CHECK (sender IN ('guest', 'bot', 'human', 'system')),
    author TEXT NOT NULL DEFAULT '',
    text TEXT NOT NULL,
    details TEXT NOT NULL DEFAULT '{}',
    created_at REAL NOT NULL
);
CREATE INDEX chat_messages_session ON chat_messages (session_id, id);

CREATE TABLE chat_articles (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    keywords TEXT NOT NULL DEFAULT '',
    enabled INTEGER NOT NULL DEFAULT 1,
    updated_at REAL NOT NULL
);
CREATE VIRTUAL TABLE chat_articles_fts USING fts5 (
    title, body, keywords, tokenize = 'porter unicode61 remove_diacritics 2'
);

INSERT INTO chat_articles (id, title, body, keywords, updated_at) VALUES
    (1, 'How to pay an invoice',
     'Open the invoice and choose card or bank transfer. Put the number of the invoice into the reference of a transfer; it is booked within two working days.',
     'payment bill paying money bank card transfer', 0),
    (2, 'Overdue invoices',
     'An invoice is overdue when it was not paid 14 days after its date. Your services stay online for another 30 days; please pay or talk to us before.',
     'late reminder due suspended', 0),
    (3, 'Forgotten password',
     'Choose "Forgotten password" on the login page. We send a link to your e-mail address; it is valid for one hour.',
     'login sign in reset locked account', 0),
    (4, 'Cancel a service',
     'Open your orders, choose the service and then "Cancel". It ends with the period that you have paid for.',
     'cancellation terminate stop end contract refund', 0),
    (5, 'Opening hours of support',
     'People answer from Monday to Friday, 9 to 18 o''clock. Outside of these hours the bot answers, and a person follows up on the next working day.',
     'hours contact phone human agent weekend', 0);
INSERT INTO chat_articles_fts (rowid, title, body, keywords) SELECT id, title, body, keywords FROM chat_articles;
