// Starts discord-digital-twin and stands before its REST side, with what it
// lacks and a way to drive its people from a test:
//
//   GET /gateway is its /gateway/bot; a form with payload_json and files is
//   handed on as JSON, the files kept here (it takes no forms).
//
//   POST /control/ask   {person, channel, type, data, message?}   an interaction
//   POST /control/say   {person, channel, content}
//   GET  /control/response/ID, /control/messages/CHANNEL, /control/channels,
//        /control/commands, /control/files, /control/calls
//
// It prints one line of JSON when it is ready. It is started by a test and
// ends with its standard input.
import http from 'node:http'
import { DigitalDiscord } from 'discord-digital-twin'

const people = { ana: '1200000000000000001', ben: '1200000000000000002' }
const guild = '1100000000000000002', main = '1100000000000000003', category = '1100000000000000004'
const twin = new DigitalDiscord({
  guild: { id: guild, name: 'Harbour' },
  channels: [{ id: main, name: 'tls', type: 0 }, { id: category, name: 'incidents', type: 4 }],
  users: Object.entries(people).map(([username, id]) => ({ id, username })),
  botUser: { id: '1100000000000000001', username: 'certmedic' },
  botToken: 'fake-discord-token',
  dbUrl: 'file::memory:',
})
await twin.start()

const files = [], calls = []

function send(res, status, body, headers = {}) {
  res.writeHead(status, { 'content-type': 'application/json', ...headers })
  res.end(body === undefined ? undefined : JSON.stringify(body))
}

async function read(req) {
  const parts = []
  for await (const p of req) parts.push(p)
  return Buffer.concat(parts)
}

// unform takes a form apart: its payload_json, and its files.
async function unform(type, body) {
  const form = await new Response(body, { headers: { 'content-type': type } }).formData()
  const found = []
  let json = '{}'
  for (const [name, part] of form) {
    if (name === 'payload_json') json = typeof part === 'string' ? part : await part.text()
    else found.push({ name: part.name, text: await part.text() })
  }
  const payload = JSON.parse(json)
  delete payload.attachments
  return { payload, found }
}

async function control(req, res, path) {
  const body = req.method === 'POST' ? JSON.parse((await read(req)).toString()) : {}
  const [, , what, id] = path.split('/')
  switch (what) {
    case 'ask':
      return send(res, 200, await twin.simulateInteraction({ type: body.type, channelId: body.channel, userId: people[body.person], data: body.data, messageId: body.message }))
    case 'say':
      return send(res, 200, await twin.simulateUserMessage({ channelId: body.channel, userId: people[body.person], content: body.content }))
    case 'response':
      return send(res, 200, await twin.channel(main).getInteractionResponse(id))
    case 'messages':
      return send(res, 200, await twin.channel(id).getMessages())
    case 'channels':
      return send(res, 200, (await twin.prisma.channel.findMany()).map((c) => ({ id: c.id, name: c.name, type: c.type, topic: c.topic, parent: c.parentId, archived: c.archived, locked: c.locked })))
    case 'commands':
      return send(res, 200, (await twin.prisma.applicationCommand.findMany()).map((c) => ({ id: c.id, name: c.name, type: c.type, guild: c.guildId, options: JSON.parse(c.options) })))
    case 'files':
      return send(res, 200, files)
    case 'calls':
      return send(res, 200, calls)
  }
  return send(res, 404, { message: 'no control ' + path })
}

const front = http.createServer(async (req, res) => {
  const path = new URL(req.url, 'http://x').pathname
  try {
    if (path.startsWith('/control/')) return await control(req, res, path)
    let body = await read(req)
    const headers = { ...req.headers }
    for (const h of ['host', 'content-length', 'transfer-encoding', 'connection', 'accept-encoding']) delete headers[h]
    let url = req.url.replace(/^\/api\/v9\//, '/api/v10/')
    if (/^\/api\/v10\/gateway$/.test(path)) url = '/api/v10/gateway/bot'
    let found = []
    if ((headers['content-type'] ?? '').startsWith('multipart/form-data')) {
      const taken = await unform(headers['content-type'], body)
      found = taken.found
      headers['content-type'] = 'application/json'
      body = Buffer.from(JSON.stringify(taken.payload))
    }
    const answer = await fetch(`http://127.0.0.1:${twin.port}${url}`, { method: req.method, headers, body: body.length > 0 ? body : undefined })
    const text = await answer.text()
    if (answer.ok) files.push(...found)
    calls.push({ method: req.method, path, status: answer.status, answer: answer.ok ? undefined : text.slice(0, 300) })
    const out = {}
    answer.headers.forEach((v, k) => { if (k.startsWith('x-ratelimit') || k === 'content-type' || k === 'retry-after') out[k] = v })
    res.writeHead(answer.status, out)
    res.end(text)
  } catch (error) {
    send(res, 500, { message: String(error?.stack ?? error) })
  }
})
front.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ api: `http://127.0.0.1:${front.address().port}/api/v10`, control: `http://127.0.0.1:${front.address().port}/control`, guild, main, category }))
})
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
