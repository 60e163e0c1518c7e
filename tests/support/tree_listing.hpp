// A directory tree as text, everything that can be told of it: for comparing two trees.
#pragma once

#include <string>
#include <vector>

namespace mydocker::test {

// One line for each thing below `root`, the root itself as ".", sorted: type, mode, owner, size, time, number
// of names, xattrs, target or device or sum of the content, the first other name of the same file. What is
// mounted in the tree is left out, and so are sockets. Sizes and names of directories, and the root's time,
// belong to no one.
[[nodiscard]] std::vector<std::string> list_tree(const std::string& root);

// The lines of one that the other lacks, for a message.
[[nodiscard]] std::string tree_difference(const std::vector<std::string>& left,
                                          const std::vector<std::string>& right);

} // namespace mydocker::test
