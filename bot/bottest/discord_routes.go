package bottest

import (
	"net/url"
	"strings"
)

// This file holds the fake Discord's operations: which request is which.

type discordRoute struct {
	method, path, op string
	do               func(*Discord, *discordAsked) (any, *discordError)
}

// discordRoutes: where two match, the first does.
var discordRoutes = []discordRoute{
	{"GET", "/gateway", "get_gateway", (*Discord).getGateway},
	{"GET", "/gateway/bot", "get_bot_gateway", (*Discord).getGatewayBot},
	{"GET", "/users/@me", "get_my_user", (*Discord).getMe},
	{"GET", "/users/@me/guilds", "list_my_guilds", (*Discord).getMyGuilds},
	{"GET", "/users/{user_id}", "get_user", (*Discord).getUser},
	{"POST", "/users/@me/channels", "create_dm", (*Discord).createDM},
	{"GET", "/applications/@me", "get_my_application", (*Discord).getApplication},
	{"GET", "/oauth2/applications/@me", "get_my_oauth2_application", (*Discord).getApplication},
	{"GET", "/applications/{application_id}/commands", "list_application_commands", (*Discord).listCommands},
	{"PUT", "/applications/{application_id}/commands", "bulk_set_application_commands", (*Discord).setCommands},
	{"GET", "/applications/{application_id}/guilds/{guild_id}/commands", "list_guild_application_commands", (*Discord).listCommands},
	{"PUT", "/applications/{application_id}/guilds/{guild_id}/commands", "bulk_set_guild_application_commands", (*Discord).setCommands},
	{"GET", "/guilds/{guild_id}", "get_guild", (*Discord).getGuild},
	{"GET", "/guilds/{guild_id}/channels", "list_guild_channels", (*Discord).listChannels},
	{"POST", "/guilds/{guild_id}/channels", "create_guild_channel", (*Discord).createChannel},
	{"GET", "/guilds/{guild_id}/members/search", "search_guild_members", (*Discord).searchMembers},
	{"GET", "/guilds/{guild_id}/members/{user_id}", "get_guild_member", (*Discord).getMember},
	{"GET", "/guilds/{guild_id}/members", "list_guild_members", (*Discord).listMembers},
	{"GET", "/guilds/{guild_id}/roles", "list_guild_roles", (*Discord).listRoles},
	{"GET", "/guilds/{guild_id}/threads/active", "get_active_guild_threads", (*Discord).activeThreads},
	{"GET", "/channels/{channel_id}", "get_channel", (*Discord).getChannel},
	{"PATCH", "/channels/{channel_id}", "update_channel", (*Discord).updateChannel},
	{"DELETE", "/channels/{channel_id}", "delete_channel", (*Discord).deleteChannel},
	{"PUT", "/channels/{channel_id}/permissions/{overwrite_id}", "set_channel_permission_overwrite", (*Discord).setOverwrite},
	{"DELETE", "/channels/{channel_id}/permissions/{overwrite_id}", "delete_channel_permission_overwrite", (*Discord).deleteOverwrite},
	{"POST", "/channels/{channel_id}/typing", "trigger_typing_indicator", (*Discord).typing},
	{"GET", "/channels/{channel_id}/messages/pins", "list_pins", (*Discord).listPins},
	{"PUT", "/channels/{channel_id}/messages/pins/{message_id}", "create_pin", (*Discord).pin},
	{"DELETE", "/channels/{channel_id}/messages/pins/{message_id}", "delete_pin", (*Discord).unpin},
	{"GET", "/channels/{channel_id}/pins", "deprecated_list_pins", (*Discord).listPins},
	{"PUT", "/channels/{channel_id}/pins/{message_id}", "deprecated_create_pin", (*Discord).pin},
	{"DELETE", "/channels/{channel_id}/pins/{message_id}", "deprecated_delete_pin", (*Discord).unpin},
	{"GET", "/channels/{channel_id}/messages", "list_messages", (*Discord).listMessages},
	{"POST", "/channels/{channel_id}/messages", "create_message", (*Discord).createMessage},
	{"GET", "/channels/{channel_id}/messages/{message_id}", "get_message", (*Discord).getMessage},
	{"PATCH", "/channels/{channel_id}/messages/{message_id}", "update_message", (*Discord).updateMessage},
	{"DELETE", "/channels/{channel_id}/messages/{message_id}", "delete_message", (*Discord).deleteMessage},
	{"PUT", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji_name}/@me", "add_my_message_reaction", (*Discord).addReaction},
	{"DELETE", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji_name}/@me", "delete_my_message_reaction", (*Discord).dropReaction},
	{"GET", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji_name}", "list_message_reactions_by_emoji", (*Discord).listReactions},
	{"POST", "/channels/{channel_id}/messages/{message_id}/threads", "create_thread_from_message", (*Discord).createThread},
	{"POST", "/channels/{channel_id}/threads", "create_thread", (*Discord).createThread},
	{"GET", "/channels/{channel_id}/thread-members", "list_thread_members", (*Discord).listThreadMembers},
	{"PUT", "/channels/{channel_id}/thread-members/@me", "join_thread", (*Discord).addThreadMember},
	{"PUT", "/channels/{channel_id}/thread-members/{user_id}", "add_thread_member", (*Discord).addThreadMember},
	{"DELETE", "/channels/{channel_id}/thread-members/{user_id}", "delete_thread_member", (*Discord).dropThreadMember},
	{"POST", "/interactions/{interaction_id}/{interaction_token}/callback", "create_interaction_response", (*Discord).callback},
	{"POST", "/webhooks/{webhook_id}/{webhook_token}", "execute_webhook", (*Discord).followUp},
	{"GET", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", "get_original_webhook_message", (*Discord).getAnswer},
	{"PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", "update_original_webhook_message", (*Discord).editAnswer},
	{"DELETE", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", "delete_original_webhook_message", (*Discord).deleteAnswer},
	{"GET", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", "get_webhook_message", (*Discord).getAnswer},
	{"PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", "update_webhook_message", (*Discord).editAnswer},
	{"DELETE", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}", "delete_webhook_message", (*Discord).deleteAnswer},
}

// open operations need no bot token: theirs is in the path.
func (c *discordAsked) open() bool {
	return strings.HasPrefix(c.Path, "/interactions/") || strings.HasPrefix(c.Path, "/webhooks/")
}

func routeOf(method, path string) (*discordRoute, map[string]string) {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if u, err := url.PathUnescape(p); err == nil { // discord.js writes %40original
			parts[i] = u
		}
	}
	for i := range discordRoutes {
		r := &discordRoutes[i]
		want := strings.Split(r.path, "/")
		if r.method != method || len(want) != len(parts) {
			continue
		}
		vars := map[string]string{}
		for j, w := range want {
			if strings.HasPrefix(w, "{") && parts[j] != "" {
				vars[strings.Trim(w, "{}")] = parts[j]
			} else if w != parts[j] {
				vars = nil
				break
			}
		}
		if vars != nil {
			return r, vars
		}
	}
	return nil, nil
}
