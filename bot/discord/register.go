package discord

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bwmarrin/discordgo"

	"github.com/certmedic/certmedic/commands"
)

// This file holds how the table of verbs becomes Discord's commands, and their
// registration, which is done only when they have changed (docs:
// interactions/application-commands).

// Limits of commands.
const (
	maxOptions = 25
	maxChoices = 25
	maxSize    = 7900 // characters of a command; Discord's own is 8000
	maxText    = 100  // of a description
	maxTyped   = 4000 // of a text that people type
)

// pinName is the message command that puts a message on a timeline.
const pinName = "Add to timeline"

// bareNames are the subcommands that a group's own verb gets, since a command
// with subcommands cannot be said alone.
var bareNames = map[string]string{"certcheck": "look", "renew": "plan", "incident": "here"}

// leaf is what can be said: a verb with what it takes.
type leaf struct {
	verb   commands.Verb
	params []commands.Param
}

// commandSet are all commands, and which verb stands behind each path
// ("incident more edit").
type commandSet struct {
	list   []*discordgo.ApplicationCommand
	leaves map[string]leaf
	paths  map[string]string // by verb
	hash   string
}

// buildCommands makes the commands of the verbs: a group's verbs are
// subcommands; where they are more than fit, the rare ones stand in the
// subcommand group "more".
func buildCommands(verbs []commands.Verb, params func(string) []commands.Param, pins bool) (commandSet, error) {
	set := commandSet{leaves: map[string]leaf{}, paths: map[string]string{}}
	var groups []string
	by := map[string][]commands.Verb{}
	for _, v := range verbs {
		g, _, _ := strings.Cut(v.Name, " ")
		if by[g] == nil {
			groups = append(groups, g)
		}
		by[g] = append(by[g], v)
	}
	for _, g := range groups {
		var c *discordgo.ApplicationCommand
		for short := maxText; ; short -= 5 { // descriptions give way before commands do
			c = set.command(g, by[g], params, short)
			if commandSize(c) <= maxSize {
				break
			}
			if short < 10 {
				return set, fmt.Errorf("/%s has %d characters: Discord takes 8000", g, commandSize(c))
			}
		}
		for _, o := range c.Options {
			if len(c.Options) > maxOptions || len(o.Options) > maxOptions {
				return set, fmt.Errorf("/%s has more than %d subcommands in one place", g, maxOptions)
			}
		}
		set.list = append(set.list, c)
	}
	if pins {
		set.list = append(set.list, scoped(&discordgo.ApplicationCommand{Type: discordgo.MessageApplicationCommand, Name: pinName}))
	}
	b, err := json.Marshal(set.list)
	if err != nil {
		return set, err
	}
	sum := sha256.Sum256(b)
	set.hash = hex.EncodeToString(sum[:16])
	return set, nil
}

// scoped: in servers alone, for who may write there.
func scoped(c *discordgo.ApplicationCommand) *discordgo.ApplicationCommand {
	guild, install := []discordgo.InteractionContextType{discordgo.InteractionContextGuild}, []discordgo.ApplicationIntegrationType{discordgo.ApplicationIntegrationGuildInstall}
	may := int64(discordgo.PermissionSendMessages)
	c.Contexts, c.IntegrationTypes, c.DefaultMemberPermissions = &guild, &install, &may
	return c
}

// command makes the command of a group; short is how long an option's
// description may be.
func (set *commandSet) command(group string, verbs []commands.Verb, params func(string) []commands.Param, short int) *discordgo.ApplicationCommand {
	c := scoped(&discordgo.ApplicationCommand{Type: discordgo.ChatApplicationCommand, Name: group, Description: describe(group, verbs)})
	if len(verbs) == 1 && verbs[0].Name == group {
		c.Options = options(params(group), short)
		set.put(group, leaf{verbs[0], params(group)})
		return c
	}
	many := len(verbs) > maxOptions
	var rare []*discordgo.ApplicationCommandOption
	for _, v := range verbs {
		_, name, sub := strings.Cut(v.Name, " ")
		if !sub {
			if name = or(bareNames[group], "now"); slices.ContainsFunc(verbs, func(o commands.Verb) bool { return o.Name == group+" "+name }) {
				name += "-all"
			}
		}
		o := &discordgo.ApplicationCommandOption{Type: discordgo.ApplicationCommandOptionSubCommand, Name: name, Description: sentence(v.Summary, max(short, 40)), Options: options(params(v.Name), short)}
		if many && v.Rare {
			rare = append(rare, o)
			set.put(group+" more "+name, leaf{v, params(v.Name)})
			continue
		}
		c.Options = append(c.Options, o)
		set.put(group+" "+name, leaf{v, params(v.Name)})
	}
	if len(rare) > 0 {
		c.Options = append(c.Options, &discordgo.ApplicationCommandOption{Type: discordgo.ApplicationCommandOptionSubCommandGroup, Name: "more", Description: "What is said less often", Options: rare})
	}
	return c
}

func (set *commandSet) put(path string, l leaf) {
	set.leaves[path], set.paths[l.verb.Name] = l, path
}

func describe(group string, verbs []commands.Verb) string {
	for _, v := range verbs {
		if v.Name == group {
			return sentence(v.Summary, maxText)
		}
	}
	return sentence(group, maxText)
}

// sentence is a description: a capital, at most n characters.
func sentence(s string, n int) string {
	r, size := utf8.DecodeRuneInString(s)
	return clip(strings.ToUpper(string(r))+s[size:], min(n, maxText))
}

// options are a verb's fields, required ones first as Discord wants them. What
// a form asks for when it is missing is not required here.
func options(params []commands.Param, short int) []*discordgo.ApplicationCommandOption {
	var first, rest []*discordgo.ApplicationCommandOption
	for _, p := range params {
		o := &discordgo.ApplicationCommandOption{Type: discordgo.ApplicationCommandOptionString, Name: p.Name, Description: sentence(p.Summary, short)}
		switch {
		case p.Kind == commands.ParamSwitch:
			o.Type = discordgo.ApplicationCommandOptionBoolean
		case p.Kind == commands.ParamChoice && len(p.Choices) <= maxChoices:
			for _, c := range p.Choices {
				o.Choices = append(o.Choices, &discordgo.ApplicationCommandOptionChoice{Name: clip(c, 100), Value: c})
			}
		case completes(p):
			o.Autocomplete = true
		case p.Kind == commands.ParamText:
			o.MaxLength = maxTyped
		default:
			o.MaxLength = 200
		}
		if p.Required && len(first) < maxOptions && !asked(p) {
			o.Required = true
			first = append(first, o)
		} else {
			rest = append(rest, o)
		}
	}
	all := append(first, rest...)
	return all[:min(len(all), maxOptions)]
}

// asked: a form asks for it when it was not given.
func asked(p commands.Param) bool {
	return p.Kind == commands.ParamText || p.Kind == commands.ParamChoice || p.Kind == commands.ParamRenewal
}

// completes reports whether a parameter's values are offered while typing.
func completes(p commands.Param) bool {
	switch p.Kind {
	case commands.ParamCertificate, commands.ParamIncident, commands.ParamRenewal, commands.ParamPerson, commands.ParamTime, commands.ParamTemplate:
		return true
	}
	return len(p.Choices) > 0
}

// commandSize is how Discord counts a command.
func commandSize(c *discordgo.ApplicationCommand) int {
	n := utf8.RuneCountInString(c.Name + c.Description)
	var add func([]*discordgo.ApplicationCommandOption)
	add = func(os []*discordgo.ApplicationCommandOption) {
		for _, o := range os {
			n += utf8.RuneCountInString(o.Name + o.Description)
			for _, ch := range o.Choices {
				n += utf8.RuneCountInString(ch.Name + fmt.Sprint(ch.Value))
			}
			add(o.Options)
		}
	}
	add(c.Options)
	return n
}

// register tells Discord the commands, unless it was told these; it tries until
// Discord takes them.
func (d *Discord) register(ctx context.Context) error {
	d.mu.Lock()
	app := d.app
	d.mu.Unlock()
	path, key := "applications/"+app+"/commands", "commands/global"
	if d.o.Guild != "" {
		path, key = "applications/"+app+"/guilds/"+d.o.Guild+"/commands", "commands/"+d.o.Guild
	}
	for n := 0; ; n++ {
		err := d.registerOnce(ctx, path, key)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		d.once("the commands are not registered yet: " + words(err))
		if !d.pause(ctx, n, err) {
			return nil
		}
	}
}

func (d *Discord) registerOnce(ctx context.Context, path, key string) error {
	told := d.app + "/" + d.cmds.hash
	ns, err := d.o.Notes.List(ctx, key)
	if err != nil {
		return err
	}
	for _, n := range ns {
		if n.Key == key && string(n.Value) == told {
			return nil
		}
	}
	if err := d.api.call(ctx, http.MethodPut, path, d.cmds.list, nil); err != nil {
		return err
	}
	d.o.Log.Info("discord: the commands are registered", "number", len(d.cmds.list))
	return d.o.Notes.Put(ctx, note(key, []byte(told)))
}
