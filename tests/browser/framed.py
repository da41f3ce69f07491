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
      event: () => publish('registry', null),
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


    @router.get("/hello")
    def hello(request: Request):
        return {"hello": "hello", "who": "with a session" if request.cookies else "without"}


    @router.post("/say")
    def say(body: dict):
        return {"said": body["text"]}


    @router.get("/moved")
    def moved():
        return RedirectResponse("/api/v1/customers", 307)


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
        "frontend/Card.tsx": dedent(CARD),
        "frontend/s.css": dedent(CSS) + f".stranger {{ --version: '{version}' }}\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    pack(folder, out)
