// -v, --mount and --tmpfs: what they mean, and what they refuse.
#include "cli/mount_flags.hpp"

#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

namespace mydocker::cli {
namespace {

using engine::MountRequest;

// All of a mount in a line, so that a table can say it.
std::string shown(const MountRequest& mount) {
    constexpr const char* kKinds[] = {"bind", "volume", "tmpfs"};
    std::string text = kKinds[static_cast<int>(mount.kind)];
    text += " " + mount.source + " " + mount.target;
    if (mount.read_only) text += " ro";
    if (mount.create_source) text += " create";
    if (!mount.copy) text += " nocopy";
    if (!mount.propagation.empty()) text += " " + mount.propagation;
    for (const std::string& option : mount.options)
        text += " " + option;
    return text;
}

using Parser = Result<MountRequest> (*)(const std::string&);

Result<MountRequest> volume(const std::string& text) {
    return parse_volume(text, "/here");
}
Result<MountRequest> mount(const std::string& text) {
    return parse_mount(text, "/here");
}

struct MountFlagCase {
    std::string name;
    Parser parse;
    std::string text;
    std::string want; // the mount, or a pattern of the error
};

std::ostream& operator<<(std::ostream& out, const MountFlagCase& row) {
    return out << row.text;
}

class MountNotation : public ::testing::TestWithParam<MountFlagCase> {};

TEST_P(MountNotation, MeansAMount) {
    const auto mount = GetParam().parse(GetParam().text);

    ASSERT_TRUE(mount) << describe(mount.error());
    EXPECT_EQ(shown(*mount), GetParam().want);
}

const std::vector<MountFlagCase> kGood{
    {"HostPath", volume, "/a:/b", "bind /a /b create"},
    {"ReadOnly", volume, "/a:/b:ro", "bind /a /b ro create"},
    {"ReadWrite", volume, "/a:/b:rw", "bind /a /b create"},
    {"Label", volume, "/a:/b:Z", "bind /a /b create"},
    {"SeveralOptions", volume, "/a:/b:ro,z,rslave", "bind /a /b ro create rslave"},
    {"Relative", volume, "./a:/b", "bind /here/./a /b create"},
    {"RelativeUp", volume, "../a:/b", "bind /here/../a /b create"},
    {"Here", volume, ".:/b", "bind /here/. /b create"},
    {"Named", volume, "data:/b", "volume data /b"},
    {"NoCopy", volume, "data:/b:nocopy,ro", "volume data /b ro nocopy"},
    {"Anonymous", volume, "/b", "volume  /b"},
    {"TargetIsShortened", volume, "/a://b/./c/../d/", "bind /a /b/d create"},
    {"BlanksArePartOfPaths", volume, "/a b:/c d", "bind /a b /c d create"},
    {"MountBind", mount, "type=bind,source=/a,target=/b", "bind /a /b"},
    {"MountShortKeys", mount, "type=bind,src=/a,dst=/b,ro", "bind /a /b ro"},
    {"MountReadOnlyFalse", mount, "type=bind,src=/a,dst=/b,readonly=false", "bind /a /b"},
    {"MountPropagation", mount, "bind-propagation=rshared,type=bind,src=/a,dst=/b", "bind /a /b rshared"},
    {"MountVolumeIsTheDefault", mount, "source=data,destination=/b", "volume data /b"},
    {"MountAnonymous", mount, "type=volume,dst=/b,volume-nocopy", "volume  /b nocopy"},
    {"MountTmpfs", mount, "type=tmpfs,dst=/b,tmpfs-size=64m,tmpfs-mode=1770",
     "tmpfs  /b nosuid nodev noexec size=67108864 mode=1770"},
    {"Tmpfs", parse_tmpfs, "/b", "tmpfs  /b nosuid nodev noexec"},
    {"TmpfsOptions", parse_tmpfs, "/b:size=64m,exec,mode=700",
     "tmpfs  /b nosuid nodev noexec size=64m exec mode=700"},
};

INSTANTIATE_TEST_SUITE_P(MountFlags, MountNotation, ::testing::ValuesIn(kGood),
                         [](const auto& each) { return each.param.name; });

class BadMountNotation : public ::testing::TestWithParam<MountFlagCase> {};

TEST_P(BadMountNotation, IsRefusedInWords) {
    const auto mount = GetParam().parse(GetParam().text);

    ASSERT_FALSE(mount) << shown(*mount);
    EXPECT_EQ(mount.error().code, Code::invalid);
    EXPECT_TRUE(std::regex_search(mount.error().text, std::regex(GetParam().want))) << mount.error().text;
}

const std::vector<MountFlagCase> kBad{
    {"Empty", volume, "", "volume: ''"},
    {"FourParts", volume, "a:b:c:d", "volume: 'a:b:c:d': it has more parts than SOURCE:TARGET:OPTIONS"},
    {"RelativeTarget", volume, "/a:b", "the target 'b' is not an absolute path"},
    {"RootTarget", volume, "/a:/", "the target cannot be '/'"},
    {"RootTargetInDisguise", volume, "/a:/x/..", "the target cannot be '/'"},
    {"TargetLeavesTheRoot", volume, "/a:/../b", "the target '/../b' leaves the root"},
    {"TargetLeavesTheRootLater", volume, "/a:/x/../../b", "leaves the root"},
    {"OverProc", volume, "/a:/proc", "refusing to mount over /proc"},
    {"OverDev", volume, "/a:/dev/", "refusing to mount over /dev"},
    {"BothAccesses", volume, "/a:/b:ro,rw", "'ro' and 'rw' contradict each other"},
    {"UnknownOption", volume, "/a:/b:rx", "unknown option 'rx'"},
    {"EmptyOption", volume, "/a:/b:", "unknown option ''"},
    {"NoCopyOfAHostPath", volume, "/a:/b:nocopy", "'nocopy' is for a volume only"},
    {"PropagationOfAVolume", volume, "data:/b:rshared", "'rshared' is for a host directory only"},
    {"TwoPropagations", volume, "/a:/b:shared,slave", "'shared' and 'slave' contradict each other"},
    {"BadName", volume, "a/b:/c", "'a/b' is no volume name: .*; a host path begins with '/' or './'"},
    {"EmptySource", volume, ":/c", "'' is no volume name"},
    {"HiddenName", volume, ".lock:/c", "'.lock' is no volume name"},
    {"MountWithoutTarget", mount, "type=bind,source=/a", "it has no target"},
    {"MountUnknownType", mount, "type=nfs,target=/b",
     "type 'nfs' is unknown; there are: bind, volume, tmpfs"},
    {"MountUnknownKey", mount, "type=bind,sauce=/a,target=/b", "unknown key 'sauce'"},
    {"MountWithoutValue", mount, "type=bind,source,target=/b", "key 'source' needs a value"},
    {"MountRelativeSource", mount, "type=bind,source=a,target=/b", "the source 'a' is no path"},
    {"MountNoSource", mount, "type=bind,target=/b", "the source '' is no path"},
    {"MountTmpfsSource", mount, "type=tmpfs,source=/a,target=/b", "a tmpfs has no source"},
    {"MountForeignKey", mount, "type=bind,source=/a,target=/b,tmpfs-size=1m",
     "key 'tmpfs-size' is not for this type"},
    {"MountBadMode", mount, "type=tmpfs,target=/b,tmpfs-mode=9", "tmpfs-mode: '9' is no mode"},
    {"MountBadSize", mount, "type=tmpfs,target=/b,tmpfs-size=big", "tmpfs-size: 'big' is no size"},
    {"MountEmptyFlag", mount, "type=tmpfs,target=/b,ro=", "ro: '' is neither true nor false"},
    {"MountBadFlag", mount, "type=tmpfs,target=/b,ro=yes", "ro: 'yes' is neither true nor false"},
    {"TmpfsOption", parse_tmpfs, "/b:bind", "tmpfs: '/b:bind': unknown option 'bind'"},
    {"TmpfsKey", parse_tmpfs, "/b:huge=always", "unknown option 'huge=always'"},
    {"TmpfsRelative", parse_tmpfs, "b", "is not an absolute path"},
};

INSTANTIATE_TEST_SUITE_P(MountFlags, BadMountNotation, ::testing::ValuesIn(kBad),
                         [](const auto& each) { return each.param.name; });

// Bound by "/./data" it would be a directory of the host that nobody meant.
TEST(MountSource, CannotBeRelativeToADirectoryThatIsGone) {
    const auto by_volume = parse_volume("./data:/data", "");
    const auto by_mount = parse_mount("type=bind,source=../data,target=/data", "");

    ASSERT_FALSE(by_volume);
    EXPECT_EQ(by_volume.error().text, "volume: './data:/data': './data': the working directory is gone");
    ASSERT_FALSE(by_mount);
    EXPECT_EQ(by_mount.error().code, Code::not_found);
    EXPECT_TRUE(parse_volume("/data:/data", ""));
}

} // namespace
} // namespace mydocker::cli
