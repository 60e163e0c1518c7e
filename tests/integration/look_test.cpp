// ps, images, inspect, volume ls, info, version: columns, filters, --format and documents.
#include "support/engine_fixture.hpp"

#include "base/json.hpp"

#include <sys/stat.h>

namespace mydocker::test {
namespace {

class Look : public EngineTest {
  protected:
    std::string create(const std::vector<std::string>& flags,
                       const std::vector<std::string>& command = {"top"}) {
        std::vector<std::string> words{"create"};
        words.insert(words.end(), flags.begin(), flags.end());
        words.emplace_back("busybox");
        words.insert(words.end(), command.begin(), command.end());
        const Outcome made = mydocker(words);
        EXPECT_EQ(made.exit_code, 0) << made.err;
        const std::string id = made.out.substr(0, 64);
        remove_at_end(id);
        return id;
    }
    // The names that ps shows with these flags, newest first, a blank behind each.
    std::string names(std::vector<std::string> flags) {
        flags.insert(flags.begin(), "ps");
        flags.insert(flags.end(), {"--format", "{{.Names}} "});
        const Outcome shown = mydocker(flags);
        EXPECT_EQ(shown.exit_code, 0) << shown.err;
        std::string all;
        for (const char c : shown.out)
            if (c != '\n') all += c;
        return all;
    }
    std::string shown(const std::string& name, const std::string& format) {
        const Outcome outcome = mydocker({"inspect", "-f", format, name});
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        return outcome.out;
    }
};

TEST_F(Look, PsHasTheColumnsOfTheIssue) {
    create({"--name", "one"});

    const Outcome plain = mydocker({"ps", "-a"});
    const Outcome sized = mydocker({"ps", "-as"});

    EXPECT_EQ(plain.out.substr(0, plain.out.find('\n')),
              "ID             NAME   PID   STATUS    COMMAND   CREATED                  IMAGE");
    EXPECT_NE(sized.out.find("IMAGE     SIZE\n"), std::string::npos) << sized.out;
}

struct CommandCase {
    const char* title;
    std::vector<std::string> flags;
    std::vector<std::string> words;
    std::string want; // Path Args | Entrypoint | Cmd
};

TEST_F(Look, InspectTellsEntrypointAndCommandApart) {
    remove_at_end("made");
    const CommandCase cases[] = {
        {"words", {}, {"sh", "-c", "exit 3"}, "sh [\"-c\",\"exit 3\"] null [\"sh\",\"-c\",\"exit 3\"]\n"},
        {"entrypoint", {"--entrypoint", "sleep"}, {"5"}, "sleep [\"5\"] [\"sleep\"] [\"5\"]\n"},
        {"alone", {"--entrypoint", "sleep"}, {}, "sleep [] [\"sleep\"] null\n"},
        {"cleared", {"--entrypoint", ""}, {"true"}, "true [] null [\"true\"]\n"}};
    const char* const kFormat = "{{.Path}} {{json .Args}} {{json .Config.Entrypoint}} {{json .Config.Cmd}}";

    for (const CommandCase& each : cases)
        EXPECT_EQ(shown(create(each.flags, each.words), kFormat), each.want) << each.title;

    ASSERT_EQ(mydocker({"commit", "--change", "ENTRYPOINT [\"echo\",\"a\"]", "--change", "CMD [\"b\"]",
                        create({}, {"top"}), "parts"})
                  .exit_code,
              0);
    const Outcome made = mydocker({"create", "--name", "made", "parts"});
    EXPECT_EQ(shown("made", kFormat), "echo [\"a\",\"b\"] [\"echo\",\"a\"] [\"b\"]\n") << made.err;
    (void)mydocker({"rm", "made"});
    (void)mydocker({"rmi", "-f", "parts"});
    // What is remembered of busybox goes with any image, and comes back with its next use.
    (void)mydocker({"run", "--rm", "busybox", "true"});
}

TEST_F(Look, TheMonitorIsCalledByTheId) {
    remove_at_end("before");
    remove_at_end("after");
    const Outcome started = mydocker({"run", "-d", "--name", "before", "busybox", "sleep", "1000"});
    ASSERT_EQ(mydocker({"rename", "before", "after"}).exit_code, 0);

    EXPECT_EQ(test::run({"pgrep", "-fx", "mydocker-monitor " + started.out.substr(0, 12)}).exit_code, 0);
}

// Also of one at rest, whose record nobody has looked at since.
TEST_F(Look, PsAndItsFilterKnowTheNewName) {
    create({"--name", "before"});
    remove_at_end("after");
    ASSERT_EQ(mydocker({"rename", "before", "after"}).exit_code, 0);

    EXPECT_EQ(names({"-a"}), "after ");
    EXPECT_EQ(names({"-a", "-f", "name=before"}), "");
}

TEST_F(Look, PsFiltersByWhatAContainerIs) {
    create({"--name", "old", "-l", "app=x"});
    create({"--name", "mid", "-l", "app=y", "-l", "tier=front", "-v", "/tmp:/mnt"});
    create({"--name", "new", "-l", "app=x", "-l", "tier=front", "--network", "host"}, {"sh", "-c", "exit 3"});
    (void)mydocker({"start", "-a", "new"});

    EXPECT_EQ(names({"-a"}), "new mid old ");
    EXPECT_EQ(names({}), "");
    EXPECT_EQ(names({"-n", "2"}), "new mid ");
    EXPECT_EQ(names({"-l"}), "new ");
    EXPECT_EQ(names({"-a", "-f", "name=^m"}), "mid ");
    EXPECT_EQ(names({"-a", "-f", "name=^/mid$"}), "mid ") << "docker's names have a slash in front";
    EXPECT_EQ(names({"-a", "-f", "name=old", "-f", "name=new"}), "new old ")
        << "values of a key: any of them";
    EXPECT_EQ(names({"-a", "-f", "label=app=x", "-f", "label=tier"}), "new ") << "labels: all of them";
    EXPECT_EQ(names({"-a", "-f", "label=app", "-f", "status=created"}), "mid old ") << "keys: all of them";
    EXPECT_EQ(names({"-f", "status=exited"}), "new ") << "asked for, so -a is not needed";
    EXPECT_EQ(names({"-a", "-f", "exited=3"}), "new ");
    EXPECT_EQ(names({"-a", "-f", "exited=0"}), "");
    EXPECT_EQ(names({"-a", "-f", "before=mid"}), "old ");
    EXPECT_EQ(names({"-a", "-f", "since=mid"}), "new ");
    EXPECT_EQ(names({"-a", "-f", "ancestor=busybox"}), "new mid old ");
    EXPECT_EQ(names({"-a", "-f", "ancestor=busybox:none"}), "");
    EXPECT_EQ(names({"-a", "-f", "volume=/mnt"}), "mid ");
    EXPECT_EQ(names({"-a", "-f", "network=host"}), "new ");
    EXPECT_EQ(names({"-a", "-f", "health=none"}), "new mid old ");
}

TEST_F(Look, PsRefusesWhatItDoesNotKnow) {
    struct Case {
        std::vector<std::string> words;
        std::string want;
        int code = 125;
    };
    const std::vector<Case> cases{
        {{"ps", "-f", "colour=red"},
         "mydocker: ps: filter: 'colour' is unknown; there are: id, name, label, status, ancestor, exited, "
         "volume, before, since, health, network\n"},
        {{"ps", "-f", "status=well"},
         "mydocker: ps: filter: status: 'well' is unknown; there are: created, restarting, running, "
         "removing, "
         "paused, exited, dead\n"},
        {{"ps", "-f", "name"}, "mydocker: ps: filter: 'name' is not KEY=VALUE\n"},
        {{"ps", "-f", "before=nobody"}, "mydocker: ps: filter: no container 'nobody'\n", 1},
        {{"ps", "--format", "{{.ID"},
         "mydocker: ps: --format: character 1: an action '{{' without its '}}'\n"},
        {{"ps", "--format", "{{.Nope}}"}, // There is nothing to list.
         "mydocker: ps: --format: character 3: unknown field 'Nope'; there are: Command, CreatedAt, ID, "
         "Image, Labels, LocalVolumes, Mounts, Names, Networks, PID, Ports, RunningFor, Size, State, "
         "Status\n"},
        {{"volume", "ls", "--format", "table {{upper .Nope}}"},
         "mydocker: volume ls: --format: character 9: unknown field 'Nope'; there are: Driver, Labels, "
         "Mountpoint, Name, Scope\n"},
        {{"events", "--until", "0s", "--format", "{{.Actor.Nope}}"},
         "mydocker: events: --format: character 3: unknown field 'Nope'; there are: ID, Attributes\n"},
        {{"images", "-f", "dangling=maybe"},
         "mydocker: images: filter: dangling: 'maybe' is neither true nor false\n"},
        {{"inspect", "--type", "network", "x"},
         "mydocker: inspect: type: 'network' is unknown; there are: container, image, volume\n"},
        {{"inspect", "nobody"}, "mydocker: inspect: no container, image or volume 'nobody'\n", 1},
    };

    for (const Case& each : cases) {
        const Outcome outcome = mydocker(each.words);
        EXPECT_EQ(outcome.err, each.want);
        EXPECT_EQ(outcome.exit_code, each.code) << each.want;
    }
}

TEST_F(Look, PsFormatsAsJsonTableAndTemplate) {
    const std::string id = create({"--name", "web", "-l", "app=x", "-v", "/tmp:/mnt"}, {"sleep", "5"});

    const Outcome json = mydocker({"ps", "-a", "--format", "json"});
    EXPECT_EQ(member(json.out, "x"), "");
    EXPECT_NE(json.out.find("\"ID\":\"" + id.substr(0, 12) + "\",\"Image\":\"busybox\",\"Labels\":\"app=x\""),
              std::string::npos)
        << json.out;
    EXPECT_EQ(mydocker({"ps", "-a", "--format", "table {{.Names}}\\t{{.Command}}"}).out,
              "NAME   COMMAND\nweb    sleep 5\n");
    EXPECT_EQ(mydocker({"ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Mounts}} {{.Label \"app\"}}"}).out,
              id + " /tmp x\n");
    const Outcome wrong = mydocker({"ps", "-a", "--format", "{{.Name}}"});
    EXPECT_EQ(wrong.exit_code, 125);
    EXPECT_NE(wrong.err.find("unknown field 'Name'; there are: Command, CreatedAt, ID"), std::string::npos)
        << wrong.err;
}

TEST_F(Look, PsShowsWhatALabelWouldDoToATerminal) {
    create({"--name", "web", "-l", "app=x\x1b[2J\xc2\x9b"});

    EXPECT_EQ(mydocker({"ps", "-a", "--format", "{{.Labels}}"}).out, "app=x\\x1b[2J\\u009b\n");
    EXPECT_EQ(mydocker({"ps", "-a", "--format", "table {{.Label \"app\"}}"}).out, "\nx\\x1b[2J\\u009b\n");
}

TEST_F(Look, WhatCannotBeWrittenIsAFailure) {
    const Outcome full = test::run({"sh", "-c", line({"images"}) + "> /dev/full"});
    const Outcome unread = test::run({"sh", "-c", line({"images"}) + "| true"});

    EXPECT_EQ(full.exit_code, 1);
    EXPECT_EQ(full.err, "mydocker: not all could be written to standard output\n");
    EXPECT_EQ(unread.exit_code, 0);
    EXPECT_EQ(unread.err, "") << "a reader that has gone is no failure";
}

TEST_F(Look, ABrokenFlagIsNotOverlookedAsABrokenFileIs) {
    const Outcome relative = test::run({stage() + "/bin/mydocker", "--root", "here", "ps"});

    EXPECT_EQ(relative.exit_code, 125);
    EXPECT_EQ(relative.out, "");
}

TEST_F(Look, InspectHasDockersShape) {
    create({"--name", "web", "-l", "com.x/app=x", "-v", "/tmp:/mnt:ro", "--tmpfs", "/scratch", "-m", "64m",
            "-e", "BIRD=123", "--user", "1000:1000", "-w", "/tmp", "--read-only", "--ulimit",
            "nofile=100:200"},
           {"sh", "-c", "true"});

    EXPECT_EQ(shown("web", "{{.State.Status}} {{.State.Running}} {{.State.Pid}} {{.State.StartedAt}}"),
              "created false 0 0001-01-01T00:00:00Z\n");
    EXPECT_EQ(shown("web", "{{.Path}} {{json .Args}}"), "sh [\"-c\",\"true\"]\n");
    EXPECT_EQ(
        shown("web", "{{.HostConfig.Memory}} {{.HostConfig.ReadonlyRootfs}} {{json .HostConfig.Binds}}"),
        "67108864 true [\"/tmp:/mnt:ro\"]\n");
    EXPECT_EQ(
        shown("web", "{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}} {{.RW}};{{end}}").substr(0, 21),
        "bind /tmp /mnt false;");
    EXPECT_EQ(shown("web", "{{index .Config.Labels \"com.x/app\"}} {{.Config.User}} {{.Config.WorkingDir}}"),
              "x 1000:1000 /tmp\n");
    EXPECT_NE(shown("web", "{{range .Config.Env}}{{println .}}{{end}}").find("BIRD=123\n"),
              std::string::npos);
    EXPECT_EQ(shown("web", "{{range .HostConfig.Ulimits}}{{.Name}} {{.Soft}} {{.Hard}}{{end}}"),
              "nofile 100 200\n");
    EXPECT_EQ(shown("web",
                    "{{.HostConfig.NetworkMode}} {{range $n, $v := .NetworkSettings.Networks}}{{$n}}{{end}}"),
              "none none\n");
    const Outcome sized = mydocker({"inspect", "-s", "-f", "{{ge .SizeRw 0}}", "web"});
    EXPECT_EQ(sized.out, "true\n") << sized.err;
}

TEST_F(Look, InspectOfARunningContainerNamesItsLayers) {
    create({"--name", "web"});
    ASSERT_EQ(mydocker({"start", "web"}).exit_code, 0);

    const std::string data = shown("web", "{{.GraphDriver.Name}} {{json .GraphDriver.Data}}");

    EXPECT_NE(data.find("Dir\":\"/"), std::string::npos) << data;
    const std::string key = shown("web", "{{.NetworkSettings.SandboxKey}}");
    struct stat status{};
    EXPECT_EQ(::stat(key.substr(0, key.size() - 1).c_str(), &status), 0) << key;
}

TEST_F(Look, InspectTellsContainersImagesAndVolumesApart) {
    create({"--name", "both"});
    ASSERT_EQ(mydocker({"volume", "create", "both", "-l", "k=v"}).exit_code, 0);

    EXPECT_EQ(shown("both", "{{.State.Status}}"), "created\n") << "a container comes first";
    EXPECT_EQ(mydocker({"inspect", "--type", "volume", "-f", "{{.Labels.k}}", "both"}).out, "v\n");
    EXPECT_EQ(mydocker({"inspect", "-f", "{{.Os}} {{.RepoTags}}", "busybox"}).out,
              "linux [busybox:latest]\n");
    EXPECT_EQ(mydocker({"image", "inspect", "-f", "{{len .RootFS.Layers}}", "busybox"}).out, "1\n");
    EXPECT_EQ(mydocker({"container", "inspect", "busybox"}).exit_code, 1);
    EXPECT_EQ(mydocker({"volume", "ls", "--filter", "label=k=v", "-q"}).out, "both\n");
    EXPECT_EQ(mydocker({"volume", "ls", "--filter", "dangling=false", "-q"}).out, "");
    EXPECT_EQ(mydocker({"volume", "rm", "both"}).exit_code, 0);
}

TEST_F(Look, InspectShowsWhatItFindsAndFailsForTheRest) {
    create({"--name", "here"});

    const Outcome outcome = mydocker({"inspect", "-f", "{{.Name}}", "gone", "here"});

    EXPECT_EQ(outcome.out, "here\n");
    EXPECT_EQ(outcome.err, "mydocker: inspect: no container, image or volume 'gone'\n");
    EXPECT_EQ(outcome.exit_code, 1);
}

TEST_F(Look, ImagesFiltersAndFormats) {
    EXPECT_EQ(mydocker({"images", "--format", "{{.Repository}}:{{.Tag}}"}).out, "busybox:latest\n");
    EXPECT_EQ(mydocker({"images", "busy*", "-q"}).out, mydocker({"images", "-q"}).out);
    EXPECT_EQ(mydocker({"images", "-q", "busybox:other"}).out, "");
    EXPECT_EQ(mydocker({"images", "-q", "-f", "dangling=true"}).out, "");
    EXPECT_EQ(mydocker({"images", "-q", "-f", "label=none"}).out, "");
    EXPECT_EQ(mydocker({"images", "-q", "-f", "since=busybox"}).out, "");
    EXPECT_NE(mydocker({"images", "--digests"}).out.find("sha256:"), std::string::npos);
}

// Of scripts written for docker; most of it is empty here, and none of it an error.
TEST_F(Look, TemplatesOfDockersUsersWork) {
    const std::string id = start_detached("plain", {}, {"sleep", "1000"});
    ASSERT_NE(id, "");
    const std::vector<std::pair<std::string, std::string>> cases{
        {"{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none"},
        {"{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", ""},
        {"{{range $name, $net := .NetworkSettings.Networks}}{{$name}}{{end}}", "none"},
        {"{{.LogPath}}", root() + "/containers/" + id + "/logs/container.log"},
        {"{{.HostConfig.Privileged}} {{.HostConfig.NanoCpus}}", "false 0"},
        {"{{json .HostConfig.CapAdd}} {{json .HostConfig.CapDrop}}", "null null"},
        {"{{json .HostConfig.Devices}} {{json .HostConfig.PortBindings}}", "[] {}"},
        {"{{.HostConfig.CgroupParent}}{{.HostConfig.UsernsMode}}{{.HostConfig.OomKillDisable}}", "false"},
        {"{{json .Config.Healthcheck}}", "null"},
        {"{{range .Mounts}}{{.Destination}}{{end}}", ""},
    };
    for (const auto& [format, expected] : cases) {
        const Outcome outcome = mydocker({"inspect", "-f", format, "plain"});
        EXPECT_EQ(outcome.out, expected + "\n") << format << ": " << outcome.err;
    }
    ASSERT_EQ(mydocker({"rm", "-f", "plain"}).exit_code, 0);
    ASSERT_NE(start_detached("more",
                             {"--cap-add", "NET_ADMIN", "--cap-drop", "CHOWN", "--device", "/dev/zero:/z:r",
                              "--cgroup-parent", "other", "-v", "/tmp:/t:ro,nosuid,noexec"},
                             {"sleep", "1000"}),
              "");
    const std::vector<std::pair<std::string, std::string>> more{
        {"{{json .HostConfig.CapAdd}} {{json .HostConfig.CapDrop}}", "[\"CAP_NET_ADMIN\"] [\"CAP_CHOWN\"]"},
        {"{{range .HostConfig.Devices}}{{.PathInContainer}} {{.CgroupPermissions}}{{end}}", "/z rm"},
        {"{{.HostConfig.CgroupParent}} {{.HostConfig.Binds}}", "other [/tmp:/t:ro,nosuid,noexec]"},
        {"{{range .Mounts}}{{.Mode}} {{.RW}}{{end}}", "ro,nosuid,noexec false"},
    };
    for (const auto& [format, expected] : more)
        EXPECT_EQ(mydocker({"inspect", "-f", format, "more"}).out, expected + "\n") << format;
    EXPECT_TRUE(matches(mydocker({"exec", "more", "grep", " /t ", "/proc/mounts"}).out, " ro,nosuid,noexec"));
    EXPECT_EQ(mydocker({"rm", "-f", "more"}).exit_code, 0);
}

TEST_F(Look, DockersLongerNamesOfVerbsWork) {
    EXPECT_EQ(mydocker({"container", "ls", "-a"}).out, mydocker({"ps", "-a"}).out);
    EXPECT_EQ(mydocker({"image", "ls"}).out, mydocker({"images"}).out);
    EXPECT_EQ(mydocker({"container", "run", "--rm", "busybox", "echo", "hi"}).out, "hi\n");
    EXPECT_EQ(mydocker({"help", "run"}).out, mydocker({"run", "--help"}).out);
    EXPECT_EQ(mydocker({"help", "volume", "ls"}).out, mydocker({"volume", "ls", "--help"}).out);
    EXPECT_EQ(mydocker({"container", "fly"}).exit_code, 125);
}

TEST_F(Look, InfoAndVersionAreForScriptsToo) {
    EXPECT_EQ(mydocker({"info", "--format", "{{.DockerRootDir}} {{.Containers}}"}).out, root() + " 0\n");
    EXPECT_EQ(mydocker({"version", "--format", "{{.Client.Version}}"}).out,
              mydocker({"version", "-f", "{{.Server.Version}}"}).out);
    EXPECT_EQ(mydocker({"version", "-f", "{{.Foo}}"}).err,
              "mydocker: version: --format: character 3: unknown field 'Foo'; there are: Client, Server\n");
}

} // namespace
} // namespace mydocker::test
