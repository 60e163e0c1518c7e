// Two lists of plain, friendly words: 128 × 128 pairs. Short, easy to say on the telephone, none of them
// about people.
#include "base/paths_names.hpp"

#include <array>

namespace mydocker::paths {
namespace {

constexpr std::size_t kWords = 128;

constexpr std::array<std::string_view, kWords> kQualities{
    "agile",   "airy",   "amber",  "ample",    "apt",    "azure",  "balmy",   "bold",    "brave",  "breezy",
    "brief",   "bright", "brisk",  "bronze",   "calm",   "candid", "chatty",  "cheery",  "chief",  "civil",
    "clear",   "clever", "cobalt", "comfy",    "cool",   "copper", "coral",   "cosmic",  "cosy",   "crisp",
    "curly",   "daring", "deft",   "dewy",     "eager",  "early",  "earnest", "easy",    "elder",  "equal",
    "fair",    "fancy",  "fast",   "festive",  "fine",   "fleet",  "fluent",  "fond",    "fresh",  "frosty",
    "gallant", "gentle", "gilded", "glad",     "golden", "grand",  "green",   "handy",   "happy",  "hardy",
    "hazel",   "hearty", "honest", "humble",   "indigo", "ivory",  "jolly",   "jovial",  "keen",   "kind",
    "lavish",  "light",  "lilac",  "lively",   "loyal",  "lucid",  "lucky",   "lunar",   "mellow", "merry",
    "mild",    "mint",   "misty",  "modest",   "neat",   "nimble", "noble",   "novel",   "olive",  "open",
    "patient", "peachy", "placid", "plucky",   "polite", "prime",  "proud",   "quick",   "quiet",  "rapid",
    "ready",   "regal",  "robust", "rosy",     "rustic", "sable",  "scarlet", "serene",  "shiny",  "silent",
    "silver",  "smooth", "snug",   "solar",    "sound",  "spry",   "steady",  "stellar", "sturdy", "sunny",
    "swift",   "tidy",   "timely", "tranquil", "vivid",  "warm",   "wise",    "zesty",
};

constexpr std::array<std::string_view, kWords> kAnimals{
    "albatross", "alpaca",    "antelope",  "auk",     "avocet",     "axolotl", "badger",  "beaver",
    "bee",       "bison",     "bittern",   "bobcat",  "bream",      "bunting", "buzzard", "camel",
    "caracal",   "caribou",   "carp",      "cheetah", "chough",     "cicada",  "civet",   "condor",
    "coot",      "cormorant", "crane",     "cricket", "curlew",     "cygnet",  "dipper",  "dolphin",
    "dormouse",  "dotterel",  "dove",      "duck",    "dunlin",     "eagle",   "egret",   "eider",
    "elk",       "falcon",    "ferret",    "finch",   "flamingo",   "fox",     "gannet",  "gazelle",
    "gecko",     "gibbon",    "godwit",    "goose",   "grebe",      "grouse",  "gull",    "hamster",
    "hare",      "harrier",   "hedgehog",  "heron",   "hoopoe",     "ibex",    "ibis",    "iguana",
    "impala",    "jackdaw",   "jay",       "kestrel", "kingfisher", "kite",    "kiwi",    "koala",
    "kudu",      "ladybird",  "lapwing",   "lark",    "lemur",      "linnet",  "llama",   "lobster",
    "loon",      "lynx",      "macaw",     "magpie",  "mallard",    "manatee", "marmot",  "marten",
    "merlin",    "moose",     "moth",      "narwhal", "newt",       "ocelot",  "okapi",   "oriole",
    "osprey",    "otter",     "owl",       "panda",   "partridge",  "pelican", "petrel",  "pheasant",
    "pika",      "pipit",     "plover",    "puffin",  "quail",      "quokka",  "raven",   "redstart",
    "reindeer",  "robin",     "sandpiper", "seal",    "siskin",     "snipe",   "sparrow", "squirrel",
    "starling",  "stork",     "swallow",   "swan",    "tapir",      "tern",    "thrush",  "wren",
};

// A list that is too short would be filled up with empty words.
static_assert(!kQualities.back().empty() && !kAnimals.back().empty());

} // namespace

std::span<const std::string_view> name_qualities() {
    return kQualities;
}

std::span<const std::string_view> name_animals() {
    return kAnimals;
}

} // namespace mydocker::paths
