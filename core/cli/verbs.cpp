// The table of verbs: the only place that lists them.
#include "cli/verb_makers.hpp"

namespace mydocker::cli {

const std::vector<VerbEntry>& verbs() {
    static const std::vector<VerbEntry> kVerbs{
        {"run", "IMAGE [COMMAND [ARG...]]", "run a command in a new container", make_run,
         "mydocker run -ti busybox sh"},
        {"create", "IMAGE [COMMAND [ARG...]]", "make a container without starting it", make_create,
         "mydocker create --name web busybox top"},
        {"start", "CONTAINER...", "start containers that do not run", make_start, "mydocker start -a web"},
        {"stop", "CONTAINER...", "end containers: a signal, then SIGKILL after a time", make_stop,
         "mydocker stop -t 3 web"},
        {"kill", "CONTAINER...", "send a signal to the first process of containers", make_kill,
         "mydocker kill -s HUP web"},
        {"wait", "CONTAINER...", "wait until containers have ended and print their exit codes", make_wait,
         "mydocker wait web"},
        {"rm", "CONTAINER...", "remove containers with all that is theirs", make_rm, "mydocker rm -f web"},
        {"ps", "", "list containers", make_ps, "mydocker ps -a"},
        {"logs", "CONTAINER", "show the output of a container", make_logs, "mydocker logs --tail 20 web"},
        {"inspect", "CONTAINER...", "show all that is known of containers, as JSON", make_inspect,
         "mydocker inspect web"},
        {"images", "", "list images", make_images, "mydocker images"},
        {"rmi", "IMAGE...", "remove images", make_rmi, "mydocker rmi busybox"},
        {"import", "FILE|- NAME", "make an image of a root file system's tar archive", make_import,
         "mydocker import busybox.tar mybox"},
        {"load", "FILE|DIR|-", "load images from an OCI or docker archive", make_load,
         "mydocker load image.tar"},
        {"info", "", "show the engine, its drivers and the host", make_info, "mydocker info"},
        {"version", "", "show the version", make_version, "mydocker version"},
        {"plugin ls", "", "list the plugins that are installed", make_plugin_ls, "mydocker plugin ls"},
        {"plugin info", "KIND/NAME|FILE", "show a plugin, its options as TOML, and whether it works here",
         make_plugin_info, "mydocker plugin info storage/overlayfs"},
        {"config show", "", "show the configuration in effect", make_config_show,
         "mydocker config show --origin"},
        {"config validate", "[FILE]", "check a configuration and tell all that is wrong",
         make_config_validate, "mydocker config validate"},
        {"system check", "", "look for what no container accounts for", make_system_check,
         "mydocker system check"},
        {"system recover", "", "bring to rest what killed processes left, and say what was done",
         make_system_recover, "mydocker system recover"},
        {"init", "", "internal", make_init, ""},
        {"__finish", "ID", "internal", make_finish, ""},
    };
    return kVerbs;
}

} // namespace mydocker::cli
