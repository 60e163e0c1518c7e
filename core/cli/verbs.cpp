// The table of verbs: the only place that lists them.
#include "cli/verb_makers.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mydocker::cli {

std::span<const VerbEntry> verbs() {
    static constexpr VerbEntry kVerbs[] = {
        {"run", "IMAGE [COMMAND [ARG...]]", "run a command in a new container", make_run,
         "mydocker run -ti busybox sh"},
        {"create", "IMAGE [COMMAND [ARG...]]", "make a container without starting it", make_create,
         "mydocker create --name web busybox top"},
        {"start", "CONTAINER...", "start containers that do not run", make_start, "mydocker start -a web"},
        {"attach", "CONTAINER", "join the output, input and terminal of a running container", make_attach,
         "mydocker attach web"},
        {"exec", "CONTAINER COMMAND [ARG...]", "run a further command in a running container", make_exec,
         "mydocker exec -ti web sh"},
        {"stop", "CONTAINER...", "end containers: a signal, then SIGKILL after a time", make_stop,
         "mydocker stop -t 3 web"},
        {"restart", "CONTAINER...", "stop containers and start them again", make_restart,
         "mydocker restart -t 3 web"},
        {"kill", "CONTAINER...", "send a signal to the first process of containers", make_kill,
         "mydocker kill -s HUP web"},
        {"wait", "CONTAINER...", "wait until containers have ended and print their exit codes", make_wait,
         "mydocker wait --condition healthy web"},
        {"pause", "CONTAINER...", "stop every process of containers where it is", make_pause,
         "mydocker pause web"},
        {"unpause", "CONTAINER...", "let paused containers go on", make_unpause, "mydocker unpause web"},
        {"rename", "CONTAINER NEW_NAME", "give a container another name", make_rename,
         "mydocker rename web old-web"},
        {"rm", "CONTAINER...", "remove containers with all that is theirs", make_rm, "mydocker rm -f web"},
        {"ps", "", "list containers", make_ps, "mydocker ps -a --filter status=exited"},
        {"top", "CONTAINER [PS OPTIONS]", "show the processes of a container, by the host's ps", make_top,
         "mydocker top web -o pid,user,args"},
        {"stats", "[CONTAINER...]", "show what running containers use, again and again", make_stats,
         "mydocker stats --no-stream"},
        {"update", "CONTAINER...", "change the limits of containers", make_update,
         "mydocker update -m 200m --cpus 1 web"},
        {"logs", "CONTAINER...", "show the output of containers", make_logs,
         "mydocker logs -f --since 10m web"},
        {"inspect", "NAME...", "show all that is known of containers, images and volumes, as JSON",
         make_inspect, "mydocker inspect -f '{{.State.Pid}}' web"},
        {"container inspect", "CONTAINER...", "show all that is known of containers, as JSON",
         make_container_inspect, "mydocker container inspect web"},
        {"diff", "CONTAINER", "show what a container has changed: A added, C changed, D deleted", make_diff,
         "mydocker diff web"},
        {"commit", "CONTAINER [NAME[:TAG]]", "make an image of a container and what it has changed",
         make_commit, "mydocker commit -m 'with settings' web web:ready"},
        {"export", "CONTAINER", "write the root file system of a container as a tar archive", make_export,
         "mydocker export -o web.tar web"},
        {"cp", "CONTAINER:PATH PATH|- or PATH|- CONTAINER:PATH", "copy files out of a container or into it",
         make_cp, "mydocker cp web:/etc/hosts ."},
        {"images", "[NAME[:TAG]]", "list images", make_images, "mydocker images --filter dangling=true"},
        {"image inspect", "IMAGE...", "show all that is known of images, as JSON", make_image_inspect,
         "mydocker image inspect busybox"},
        {"rmi", "IMAGE...", "remove images", make_rmi, "mydocker rmi busybox"},
        {"import", "FILE|- NAME", "make an image of a root file system's tar archive", make_import,
         "mydocker import busybox.tar mybox"},
        {"load", "FILE|DIR|-", "load images from an OCI or docker archive", make_load,
         "mydocker load image.tar"},
        {"volume create", "[NAME]", "make a volume, which outlives containers", make_volume_create,
         "mydocker volume create data"},
        {"volume ls", "", "list volumes", make_volume_ls, "mydocker volume ls"},
        {"volume rm", "VOLUME...", "remove volumes that no container uses", make_volume_rm,
         "mydocker volume rm data"},
        {"volume inspect", "VOLUME...", "show all that is known of volumes, as JSON", make_volume_inspect,
         "mydocker volume inspect data"},
        {"volume prune", "", "remove the anonymous volumes that no container uses", make_volume_prune,
         "mydocker volume prune -f"},
        {"events", "", "show what happens to containers, images and volumes", make_events,
         "mydocker events --since 10m --filter event=die"},
        {"container prune", "", "remove the containers that do not run", make_container_prune,
         "mydocker container prune --filter until=24h"},
        {"image prune", "", "remove the images without a name; with -a all that no container uses",
         make_image_prune, "mydocker image prune -a"},
        {"doctor", "", "say what this host can and cannot do, and what to do about it", make_doctor,
         "mydocker doctor"},
        {"info", "", "show the engine, its drivers and the host", make_info, "mydocker info"},
        {"version", "", "show the version", make_version, "mydocker version"},
        {"plugin ls", "", "list the plugins that are installed", make_plugin_ls, "mydocker plugin ls"},
        {"plugin info", "KIND/NAME|FILE", "show a plugin, its options as TOML, and whether it works here",
         make_plugin_info, "mydocker plugin info storage/overlayfs"},
        {"config show", "", "show the configuration in effect", make_config_show,
         "mydocker config show --origin"},
        {"config validate", "[FILE]", "check a configuration and tell all that is wrong",
         make_config_validate, "mydocker config validate"},
        {"system info", "", "show the engine, its drivers and the host", make_info, "mydocker system info"},
        {"system df", "", "show what containers, images and volumes take up on disk", make_system_df,
         "mydocker system df -v"},
        {"system prune", "", "remove the containers, images and leftovers that nobody needs",
         make_system_prune, "mydocker system prune -a --volumes"},
        {"system reset", "", "remove everything: containers, images, volumes, records", make_system_reset,
         "mydocker system reset"},
        {"system check", "", "look for what no container accounts for", make_system_check,
         "mydocker system check"},
        {"system recover", "",
         "bring to rest what killed processes left, rebuild lost records, and say what was done",
         make_system_recover, "mydocker system recover"},
        {"completion", "bash|zsh|fish", "print the completion script of a shell", make_completion,
         "source <(mydocker completion bash)"},
        {"system boot", "", "start the containers that their restart policy wants running, after a boot",
         make_system_boot, "mydocker system boot"},
        {"init", "", "internal", make_init, ""},
        {"__finish", "ID", "internal", make_finish, ""},
        {"__restart", "ID", "internal", make_restarter, ""},
        {"__health", "ID", "internal", make_health, ""},
        {"__thaw", "ID", "internal", make_thaw, ""},
        {"__complete", "WORD...", "internal", make_complete, ""},
        {"__man", "DIR", "internal", make_man, ""},
    };
    return kVerbs;
}

std::string_view usual_name(std::string_view name) {
    constexpr std::string_view kOfContainers[] = {
        "attach", "commit",  "cp", "create", "diff",  "exec",  "export", "kill", "logs",    "pause",  "ps",
        "rename", "restart", "rm", "run",    "start", "stats", "stop",   "top",  "unpause", "update", "wait"};
    constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
        {"container ls", "ps"},     {"container list", "ps"},     {"image ls", "images"},
        {"image list", "images"},   {"image rm", "rmi"},          {"image load", "load"},
        {"image import", "import"}, {"volume list", "volume ls"}, {"volume remove", "volume rm"}};
    for (const auto& [other, usual] : kOthers)
        if (name == other) return usual;
    constexpr std::string_view kPrefix = "container ";
    if (!name.starts_with(kPrefix)) return name;
    const auto known = std::ranges::find(kOfContainers, name.substr(kPrefix.size()));
    return known != std::end(kOfContainers) ? *known : name;
}

} // namespace mydocker::cli
