"""A package whose frontend tries everything that a frame must not let it do, and says what it got."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

from hotbay.package import pack

PLUGIN = "stranger"

CONFIG = """
    export default {
      routes: [{ path: '/stranger/:part', component: () => import('./Page'), layout: 'public', title: 'Stranger' }],
      components: { Card: () => import('./Card') },
      widgets: [{ slot: 'homepage.widgets', component: 'Card' }],
      navigationItems: [{ parent: 'Public', name: 'Stranger', href: '/stranger/a', badge: '/api/v1/customers' }],
      commands: [
        { id: 'go', title: 'Visit the stranger', href: '/stranger/a' },
        { id: 'run', title: 'Run something', run: () => import('./Card') },
      ],
      settingsPanels: [{ name: 'Greeting', component: () => import('./Panel') }],
      messages: { de: { 'Log in': 'Gib dein Passwort', Stranger: 'Fremder' } },
    };
"""
PAGE = """
    import './s.css';
    import { useParams } from 'react-router';
    import { api, navigate, notify, publish, useApi, useEvents, useHotState, useRegistry, useTheme } from '@hotbay/sdk';
    import { Button, TextInput } from '@hotbay/ui';
    import { useState } from 'react';

    const attempts = {
      dom: () => window.parent.document.title,
      opener: () => window.top.location.href,
      cookies: () => document.cookie,
      storage: () => localStorage.getItem('x'),
      databases: () => indexedDB.open('x'),
      host: () => api.get('/customers'),
      market: () => api.post('/marketplace/uninstall/stranger'),
      other: () => fetch('https://example.com/').then((answer) => answer.status),
      dots: () => fetch('/api/v1/stranger/..%2fcustomers').then((answer) => answer.status),
      method: () => api.request('PROPFIND', '/stranger/hello'),
      wrong: () => api.delete('/stranger/hello'),
      settings: () => api.patch('/marketplace/settings/stranger', {}),
      moved: () => api.get('/stranger/moved'),
      headers: async () => {
        const headers = { Authorization: 'Bearer x', 'X-Forwarded-For': '1.2.3.4', 'X-Chat-Token': 't' };
        return (await fetch('/api/v1/stranger/headers', { headers })).text();
      },
      xhr: () => new Promise((good, bad) => {
        const made = new XMLHttpRequest();
        made.open('GET', '/api/v1/products');
        made.onload = () => good(made.responseText);
        made.onerror = () => bad(new Error('blocked'));
        made.send();
      }),
      image: () => new Promise((good, bad) => {
        const made = new Image();
        made.onload = good;
        made.onerror = () => bad(new Error('blocked'));
        made.src = '/hotbay/assets/x.png';
      }),
      popup: () => { if (!window.open('/dashboard')) throw new Error('blocked'); },
      peer: () => new RTCPeerConnection(),
      markup: () => { document.body.innerHTML = '<img src=x>'; },
      slash: async () => (await api.get('/stranger/')).slash,
      twice: () => api.get('//stranger/hello'),
      event: () => publish('registry', null),
      forged: () => {
        // The SDK's own channel, with messages that no SDK of ours would send.
        const { postMessage } = MessagePort.prototype;
        const ports = [];
        MessagePort.prototype.postMessage = function (...all) {
          ports.push(this);
          return postMessage.apply(this, all);
        };
        publish('stranger.word', 1);
        MessagePort.prototype.postMessage = postMessage;
        const marketplace = '/api/v1/marketplace/uninstall/stranger?data=purge';
        const messages = [
          null, 5, 'x', {}, { kind: 'size', height: '9' }, { kind: 'float', box: [0, 0, 9999, 9999] },
          { kind: 'float' }, { kind: 'publish', name: 5 }, { kind: 'keep', key: 5, json: '{' },
          { kind: 'go', path: '//example.com' }, { kind: 'go', path: '/\\\\example.com' }, { kind: 'go', path: 5 },
          { kind: 'go', path: 'javascript:alert(1)' }, { kind: 'note', message: { a: 1 } }, { kind: 'note' },
          { kind: 'publish', name: 'registry', data: null },
          { kind: 'keep', key: 'a', json: '{' }, { kind: 'fetch' }, { kind: 'fetch', id: 1e9, method: 5, address: {} },
          { kind: 'fetch', id: 1e9 + 1, method: 'GET', address: '/api/v1/customers', headers: 5, body: 'x' },
          { kind: 'fetch', id: 1e9 + 2, method: 'GET', address: '//example.com/api/v1/stranger/hello', headers: [[1]] },
          { kind: 'fetch', id: 1e9 + 3, method: 'DELETE', address: marketplace, headers: [['a', 'b']] },
          { kind: 'abort', id: {} }, { kind: 'abort' },
        ];
        messages.forEach((message) => postMessage.call(ports[0], message));
        return ports.length;
      },
    };

    export default function Page({ plugin }) {
      const { part } = useParams();
      const [draft, setDraft] = useHotState('draft', '');
      const [found, setFound] = useState({});
      const [news, setNews] = useState('');
      const { data } = useApi('/stranger/hello');
      const { dark } = useTheme();
      const { plugins, viewer } = useRegistry();
      const [sent, setSent] = useState('');
      useEvents('stranger.news', setNews);
      if (draft === 'crash') throw new Error('the stranger broke');
      const attack = async () => {
        const got = {};
        for (const [name, attempt] of Object.entries(attempts)) {
          try {
            got[name] = `got ${String(await attempt()).slice(0, 60)}`;
          } catch (error) {
            got[name] = `refused ${error instanceof DOMException ? error.name : error.code || error.name}`;
          }
        }
        setFound(got);
      };
      const send = (event) => {
        event.preventDefault();
        api.post('/stranger/say', { text: draft }).then((answer) => setSent(answer.said));
      };
      return (
        <div className="stranger">
          <h1>Stranger {part} {plugin.version}</h1>
          <p>{data ? `${data.hello} ${data.who}` : '…'}</p>
          <p>{dark ? 'dark' : 'light'}, {viewer.role}, {plugins.map((one) => one.id).join(' ')}</p>
          <form onSubmit={send}>
            <TextInput label="Draft" value={draft} onChange={(event) => setDraft(event.currentTarget.value)} />
            <button type="submit">Send</button>
          </form>
          <p>{sent && `sent ${sent}`}</p>
          <p>{news && `news ${news}`}</p>
          <Button onClick={attack}>Attack</Button>
          <Button onClick={() => navigate('/stranger/b')}>Go</Button>
          <Button onClick={() => notify('Trust me')}>Note</Button>
          <Button onClick={() => publish('stranger.news', 'hot')}>Publish</Button>
          <Button onClick={() => { location.href = '/hotbay/frame'; }}>Leave</Button>
          <a href="/products-of-ours">A link</a>
          <output>{JSON.stringify(found)}</output>
          <div style={{ height: 900 }}>tall</div>
        </div>
      );
    }
"""
CARD = """
    import './s.css';
    import { useState } from 'react';
    import { api } from '@hotbay/sdk';

    export default function Card() {
      const [open, setOpen] = useState(false);
      const [words, setWords] = useState([]);
      const listen = () => {
        setOpen(true);
        const source = new EventSource(api.url('/stranger/events'));
        source.addEventListener('word', (event) => {
          setWords((old) => [...old, event.data]);
          if (event.data === 'three') source.close();
        });
      };
      if (!open) return <button type="button" className="stranger-corner" onClick={listen}>Hello there</button>;
      return <div className="stranger-corner stranger-open">{words.join(' ')}</div>;
    }
"""
PANEL = """
    import { useSettings } from '@hotbay/sdk';

    export default function Panel({ plugin }) {
      const { data, save } = useSettings(plugin.id);
      return <button onClick={() => save({ greeting: 'good day' })}>Greets with {data?.values.greeting}</button>;
    }
"""
SETTINGS = """
    from pydantic import BaseModel


    class Settings(BaseModel):
        greeting: str = "hello"
"""
CSS = """
    .stranger h1 { color: rgb(1, 2, 3) }
    .stranger-corner { position: fixed; right: 24px; bottom: 24px; height: 40px }
    .stranger-open { width: min(300px, 90vw); height: 400px; background: white }
"""
ROUTES = """
    import asyncio

    from fastapi import APIRouter, Request
    from fastapi.responses import RedirectResponse, StreamingResponse

    router = APIRouter(prefix="/stranger")


    @router.get("/")
    def slash():
        return {"slash": "yes"}


    @router.get("/hello")
    def hello(request: Request):
        return {"hello": "hello", "who": "with a session" if request.cookies else "without"}


    @router.post("/say")
    def say(body: dict):
        return {"said": body["text"]}


    @router.get("/moved")
    def moved():
        return RedirectResponse("/api/v1/customers", 307)


    @router.get("/headers")
    def headers(request: Request):
        return [name for name in ("authorization", "x-forwarded-for", "x-chat-token") if name in request.headers]


    @router.get("/events")
    async def events():
        async def spoken():
            for word in ("one", "two", "three"):
                yield f"event: word\\ndata: {word}\\n\\n"
                await asyncio.sleep(0.05)

        return StreamingResponse(spoken(), media_type="text/event-stream")
"""


def pack_stranger(folder: Path, version: str, out: Path) -> None:
    """One version of it, into the local source."""
    manifest = {
        "id": PLUGIN,
        "name": "Stranger",
        "version": version,
        "description": "Nobody knows it",
        "author": "Test",
        "category": "communication",
        "price": 0,
        "backend": {"routes": ["/api/v1/stranger/*"]},
        "frontend": {"routes": ["/stranger/*"], "components": ["Card"]},
        "permissions": ["api.register_routes"],
    }
    files = {
        "metadata.json": json.dumps(manifest),
        "README.md": "# Stranger\n",
        "backend/__init__.py": "",
        "backend/routes.py": dedent(ROUTES),
        "frontend/addon.config.ts": dedent(CONFIG),
        "frontend/Page.tsx": dedent(PAGE),
        "backend/plugin.py": dedent(SETTINGS),
        "frontend/Card.tsx": dedent(CARD),
        "frontend/Panel.tsx": dedent(PANEL),
        "frontend/s.css": dedent(CSS) + f".stranger {{ --version: '{version}' }}\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    pack(folder, out)
