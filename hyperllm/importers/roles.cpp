#include "hyperllm/importers/roles.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "hyperllm/data/numbers.h"
#include "hyperllm/importers/columns.h"

namespace hyperllm::importers {

const Role kUser{"user_column",
                 {"userid",         "user",         "uid",       "reviewerid",
                  "customerid",     "memberid",     "accountid", "visitorid",
                  "sessionid",      "username",     "userno",    "usernumber",
                  "clientid",       "buyerid",      "playerid",  "viewerid",
                  "listenerid",     "readerid",     "profileid", "personid",
                  "reviewername",   "profilename",  "customer",  "session",
                  "steamid",        "useridx",      "userindex", "usertoken",
                  "usercode",       "userhash",     "custid",    "customerno",
                  "customernumber", "customercode", "shopperid", "subscriberid",
                  "patronid",       "studentid",    "learnerid", "raterid",
                  "reviewer",       "visitor",      "account",   "msno"},
                 false,
                 {}};
const Role kItem{
    "item_column",
    {"itemid",    "item",      "iid",       "parentasin", "asin",        "movieid",    "productid",
     "articleid", "bookid",    "trackid",   "sku",        "artistid",    "businessid", "songid",
     "gameid",    "animeid",   "isbn",      "venueid",    "locationid",  "poiid",      "newsid",
     "recipeid",  "videoid",   "gmapid",    "appid",      "placeid",     "musicid",    "jokeid",
     "itemidx",   "itemindex", "itemtoken", "itemcode",   "productcode", "stockcode",  "contentid",
     "titleid",   "showid",    "courseid",  "offerid",    "listingid",   "gtin",       "ean",
     "upc"},
    true,
    {},
    {"product", "article", "movie", "film", "book", "track", "song", "artist", "artistname", "trackname",
     "itemname", "venue", "poi", "game", "gamename", "productname", "movietitle", "url"}};
const Role kRating{"rating_column",
                   {"rating", "ratings", "overall", "score", "stars", "value", "plays", "playcount",
                    "listencount", "playcounts", "listens", "count", "weight", "bookrating", "rate", "grade",
                    "userrating", "reviewscore", "preference"},
                   false,
                   {"rating", "score", "count", "plays"}};
const Role kTimestamp{
    "timestamp_column",
    {"timestamp", "time", "ts", "unixreviewtime", "datetime", "date", "createdat", "dateadded", "reviewtime",
     "reviewdate", "eventtime", "timestampms", "utctime", "localtime", "unixtime", "createdutc", "epoch"},
    false,
    {"timestamp", "datetime", "date", "time", "at", "utc"}};
const Role kLabel{"label_column", {"label", "clicked", "isclick", "click", "liked", "islike"}, false, {}};
const Role kSplit{"split_column", {"split", "subset", "partition"}, false, {}};

namespace {

int position(const Names& header, std::string_view key) {
  const auto found =
      std::find_if(header.begin(), header.end(), [&](std::string_view f) { return column_key(f) == key; });
  return found == header.end() ? -1 : static_cast<int>(found - header.begin());
}

// The only column for which `wanted` holds; -1 if there is none or more than one.
template <typename Wanted>
int only(const Names& header, const Wanted& wanted) {
  int found = -1;
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (!wanted(header[i])) continue;
    if (found >= 0) return -1;
    found = static_cast<int>(i);
  }
  return found;
}

// "average_rating", "review_count", "release_date": of items, not of what users did.
bool tells_of_items(std::string_view key) {
  for (const std::string_view start : {"avg", "average", "mean"})
    if (key.starts_with(start)) return true;
  for (const std::string_view part : {"ratingcount", "ratingscount", "reviewcount", "reviewscount",
                                      "votecount", "helpful", "release", "publi", "birth", "expir"})
    if (key.find(part) != key.npos) return true;
  return false;
}

}  // namespace

bool names_an_id(std::string_view name) {
  name = data::trimmed(name);
  if (name.size() < 4) return false;
  const std::string_view end = name.substr(name.size() - 2);
  const char before = name[name.size() - 3];
  if (end != "id" && end != "ID" && end != "Id") return false;
  return !std::isalnum(static_cast<unsigned char>(before)) ||
         (std::islower(static_cast<unsigned char>(before)) && end != "id");
}

bool names(const Role& role, std::string_view key) {
  return std::find(role.names.begin(), role.names.end(), key) != role.names.end() ||
         std::find(role.plain.begin(), role.plain.end(), key) != role.plain.end();
}

int recognised(const Names& header, const Role& role, Table table) {
  for (const std::string_view name : role.names)
    if (const int at = position(header, name); at >= 0) return at;
  if (role.is_id) {
    // Rows of items have an id of their own; rows of interactions have one that is not the item's.
    const int id = position(header, "id");
    if (id >= 0 && table == Table::kItems) return id;
    const int at = only(header, [](std::string_view name) {
      const std::string key = column_key(name);
      return names_an_id(name) && !names(kUser, key) && key != "reviewid" && key != "ratingid" &&
             key != "rowid" && key != "orderid" && key != "transactionid" && key != "categoryid" &&
             key != "deviceid" && key != "eventid" && key != "requestid" && key != "logid" &&
             key != "cityid" && key != "countryid" && key != "regionid" && key != "impressionid";
    });
    if (at >= 0) return at;
    for (const std::string_view name : role.plain)
      if (const int plain = position(header, name); plain >= 0) return plain;
    return id;
  }
  for (const std::string_view end : role.ends)
    if (const int at = only(header,
                            [&](std::string_view name) {
                              const std::string key = column_key(name);
                              return key.ends_with(end) && !tells_of_items(key);
                            });
        at >= 0)
      return at;
  return -1;
}

std::string column_key(std::string_view name) {
  std::string key;
  for (const char letter : name)
    if (std::isalnum(static_cast<unsigned char>(letter)))
      key += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return key;
}

int recognise_column(const std::vector<std::string_view>& names, std::string_view option) {
  for (const Role* role : {&kUser, &kItem, &kRating, &kTimestamp})
    if (role->option == option) return recognised(names, *role);
  return -1;
}

}  // namespace hyperllm::importers
