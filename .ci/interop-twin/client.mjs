// discord.js as a bot on certmedic's own fake Discord: it shows that the fake
// is not shaped to our library alone. CERTMEDIC_API is the fake's API. Each
// line on standard output is what happened; it ends with its standard input.
//
//	node client.mjs          the bot
//	node client.mjs verify   reads {key, signature, timestamp, body} as JSON
//	                         lines, and answers each with true or false, by
//	                         discord-interactions' verifyKey
import readline from 'node:readline'
import { verifyKey } from 'discord-interactions'
import { ActionRowBuilder, AttachmentBuilder, ButtonBuilder, ButtonStyle, ChannelType, Client, GatewayIntentBits, MessageFlags, ModalBuilder, TextInputBuilder, TextInputStyle } from 'discord.js'

const tell = (event, more = {}) => console.log(JSON.stringify({ event, ...more }))

if (process.argv[2] === 'verify') {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { key, signature, timestamp, body } = JSON.parse(line)
    tell(String(await verifyKey(body, signature, timestamp, key)))
  }
  process.exit(0)
}

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.GuildMessageReactions],
  rest: { api: process.env.CERTMEDIC_API.replace(/\/v\d+$/, ''), version: '10' },
  allowedMentions: { parse: [] },
})
const row = () => new ActionRowBuilder().addComponents(new ButtonBuilder().setCustomId('note').setLabel('Note').setStyle(ButtonStyle.Primary))

client.on('interactionCreate', async (i) => {
  try {
    if (i.isAutocomplete()) {
      await i.respond([{ name: 'I-1 the shop', value: 'I-1' }])
    } else if (i.isChatInputCommand() && i.commandName === 'echo') {
      await i.deferReply()
      await i.editReply({ content: 'echo: ' + i.options.getString('text'), components: [row()] })
      await i.followUp({ content: 'only for you', flags: MessageFlags.Ephemeral })
    } else if (i.isChatInputCommand()) {
      await i.reply({ content: `${i.options.getSubcommand()}: ${i.options.getString('what')}, ${i.options.getInteger('hosts')}` })
    } else if (i.isButton()) {
      await i.showModal(new ModalBuilder().setCustomId('noted').setTitle('Note').addComponents(new ActionRowBuilder().addComponents(new TextInputBuilder().setCustomId('text').setLabel('What').setStyle(TextInputStyle.Short))))
    } else if (i.isModalSubmit()) {
      await i.update({ content: 'noted: ' + i.fields.getTextInputValue('text'), components: [] })
    } else if (i.isMessageContextMenuCommand()) {
      await i.reply({ content: 'timeline: ' + i.targetMessage.content, flags: MessageFlags.Ephemeral })
    }
    tell('answered', { type: i.type, who: i.user.username })
  } catch (error) {
    tell('failed', { error: String(error) })
  }
})
client.on('messageReactionAdd', (r, user) => tell('reaction', { emoji: r.emoji.name, user: user.id }))
client.on('shardResume', (_, replayed) => tell('resumed', { replayed }))
client.on('shardReady', () => tell('shard'))
client.on('shardDisconnect', (e) => tell('disconnected', { code: e.code }))
client.on('error', (error) => tell('error', { error: String(error) }))

client.once('clientReady', async () => {
  try {
    const guild = await client.guilds.fetch({ guild: [...client.guilds.cache.keys()][0], force: true })
    await guild.commands.set([
      { name: 'echo', description: 'Say it again', options: [{ type: 3, name: 'text', description: 'What', required: true }] },
      { name: 'incident', description: 'Incidents', options: [
        { type: 1, name: 'open', description: 'Open one', options: [{ type: 3, name: 'what', description: 'What', required: true }, { type: 4, name: 'hosts', description: 'How many' }] },
        { type: 1, name: 'note', description: 'Note', options: [{ type: 3, name: 'incident', description: 'Which', autocomplete: true }] }] },
      { name: 'Add to timeline', type: 3 },
    ])
    const channel = await guild.channels.create({ name: 'Inc 1', type: ChannelType.GuildText, topic: 'SEV1' })
    const card = await channel.send({ content: 'card', files: [new AttachmentBuilder(Buffer.from('# draft'), { name: 'draft.md' })], nonce: 'card-1', enforceNonce: true })
    await card.pin()
    await card.edit('card, edited')
    await card.react('✅')
    const thread = await channel.threads.create({ name: 'talk', type: ChannelType.PublicThread, autoArchiveDuration: 1440 })
    await thread.send('in the thread')
    await thread.setArchived(true)
    let code = 0
    await channel.messages.fetch('1').catch((error) => { code = error.code })
    tell('ready', { channel: channel.id, card: card.id, thread: thread.id, pinned: (await channel.messages.fetch(card.id)).pinned, code, permissions: guild.members.me.permissions.has('ManageChannels') })
  } catch (error) {
    tell('failed', { error: String(error?.stack ?? error) })
  }
})
await client.login('fake-discord-token')
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
